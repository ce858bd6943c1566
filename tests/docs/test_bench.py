"""What READMEs say that benchmarks measured is what the documents in tests/bench/results say."""

import json
import re
import xml.etree.ElementTree as ET

import pytest
from tests.bench import document, drawing, on_paper
from tests.docs.readmes import ROOT

README = (ROOT / "tests" / "bench" / "README.md").read_text()
DOCUMENTS = {path.stem: json.loads(path.read_text()) for path in document.documents()}


def test_the_tables_are_up_to_date():
    assert document.SECTION.written() == document.SECTION.made(), "run: python -m tests.bench.document"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_row_says_what_its_json_says(name):
    """With an arithmetic of its own: the medians, and the machine and the days above the table."""
    found = DOCUMENTS[name]
    part = re.search(rf"^### {name}$(.*?)(?=^### |\Z)", README, re.DOTALL | re.MULTILINE)[1]
    assert f"{found['machine']['cores']} cores, {found['machine']['memory_gib']} GiB" in part
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines() if line.startswith("| ")]
    table = {(cells[0], cells[1]): cells for cells in lines}
    for row in found["rows"]:
        cells = table[row["what"], f"{row['size']:,} {row['unit']}"]
        median = sorted(row["seconds"])[len(row["seconds"]) // 2] if len(row["seconds"]) % 2 else None
        assert row["date"] in part
        assert median is None or abs(float(cells[2].split(" ")[0].replace(",", "")) - median) < 0.06
        ratios = sorted(ours / raw for ours, raw in zip(row["seconds"], row["raw"], strict=False))
        if len(ratios) % 2:
            assert abs(float(cells[5]) - ratios[len(ratios) // 2]) < 0.006


def test_the_plots_are_up_to_date_and_each_is_shown():
    made = {plot.name: plot.svg() for path in document.documents() for plot in drawing.plots_of(path)}
    kept = {path.stem: path.read_text() for path in drawing.PLOTS.glob("*.svg")}
    assert kept == made, "run: python -m tests.bench.document"
    assert [name for name in made if f"](results/{name}.svg)" not in README] == []


def test_a_plot_is_small_and_well_formed_and_has_both_schemes():
    rows = [document.Row(what, size, "Secrets", [size / 500]) for what in ("a & b", "<c>") for size in (1000, 5000)]
    one = document.Row("restore, flow", 5000, "Secrets", [5.0], "POST", [4.0])
    for some in (rows, [one], [*rows, one]):
        text = drawing.Plot("x", "title", some).svg()
        assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314 - it is ours
        assert "prefers-color-scheme: dark" in text
        assert len(text) < 20_000


def test_a_run_replaces_only_what_it_measured_again(tmp_path):
    path = tmp_path / "x.json"
    document.save("x", [document.Row("a", 1, "u", [1.0]), document.Row("a", 2, "u", [2.0])], path)
    document.save("x", [document.Row("a", 2, "u", [3.0], "raw", [1.5]), document.Row("b", 1, "u", [4.0])], path)
    _, rows = document.load(path)
    assert [(row.what, row.size, row.seconds, row.ratio) for row in rows] == [
        ("a", 1, [1.0], None),
        ("a", 2, [3.0], 2.0),
        ("b", 1, [4.0], None),
    ]


def test_what_is_on_paper_is_up_to_date():
    assert on_paper.SECTION.written() == on_paper.SECTION.made(), "run: python -m tests.bench.on_paper"


def test_the_arithmetic_on_paper():
    """Two backups that cost 10 rows and 2 for each namespace: by hand, 100 x 20 backups of 500 namespaces."""
    rows = [document.Row("b", n, "u", [1 + n / 10], notes={on_paper.ALL: 10 + 2 * n, "x": 7}) for n in (10, 60)]
    costs = on_paper.line(*rows)
    assert costs[on_paper.ALL] == on_paper.Cost(10, 2)
    assert costs["x"] == on_paper.Cost(7, 0)
    more = {name: on_paper.Cost(0, 0) for name in ("CPU s of Prefect", "bytes of Prefect", on_paper.EVENTS)}
    night = on_paper.needs(costs | more)
    assert night["backups"] == 2000
    assert night[on_paper.ALL] == 2000 * (10 + 2 * 500)
    assert night["workers"] == 5  # 2000 backups of 51 s in 21,600 s
