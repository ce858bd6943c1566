"""What a benchmark measured, as JSON, and what the README says of it: `python -m tests.bench.document`.

`results/BENCH.json` is one document: date, commit, machine, versions, and a row for each thing that was measured. A
run replaces the rows that it measured again and leaves the others, so that sizes are measured one by one; each row has
the date and the commit of its own run. The command writes the tables of README.md and the plots from these files.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.docs.generated import Section, table

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterable

HERE = Path(__file__).parent
OWN = "results"
RESULTS = HERE / OWN
COUNTED = ("prefect", "urllib3")
"""Packages whose versions a document names."""


@dataclass
class Row:
    """One thing that was measured, at one size, in some rounds. Each round measures the raw limit beside it."""

    what: str
    """Such as `restore, flow`."""
    size: int
    unit: str
    """What `size` counts: `Secrets`, `namespaces of 20 objects`."""
    seconds: list[float]
    """Of each round."""
    against: str = ""
    """What the raw seconds are of: `POST, urllib3, 16 threads`."""
    raw: list[float] = field(default_factory=list)
    """Seconds of each round; as many as `seconds`, or none."""
    cpu: float | None = None
    """Seconds of CPU of its process, user and system, of the median round."""
    peak: float | None = None
    """MiB of its process, the largest of all rounds."""
    notes: dict[str, Any] = field(default_factory=dict)
    """Figures of this benchmark alone: phases in seconds, counted requests, latencies in milliseconds."""
    date: str = ""
    commit: str = ""

    @property
    def median(self) -> float:
        """Return the median of its seconds."""
        return statistics.median(self.seconds)

    @property
    def ratio(self) -> float | None:
        """Return the median of the ratios to the raw limit of the same round."""
        pairs = zip(self.seconds, self.raw, strict=True) if self.raw else ()
        return statistics.median(found) if (found := [ours / raw for ours, raw in pairs]) else None


def machine() -> dict[str, Any]:
    """Return the size of this machine."""
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    cpus = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in cpus if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0))
    return {"cores": cores, "memory_gib": round(int(memory.split()[1]) / 2**20, 1), "cpu": names[0] if names else ""}


def versions() -> dict[str, str]:
    """Return what the figures depend on."""
    return {"python": platform.python_version(), **{name: version(name) for name in COUNTED}}


def commit() -> str:
    """Return the commit that was measured, with a + where files differ from it."""
    told = ["git", "-C", str(HERE), "describe", "--always", "--dirty=+", "--abbrev=7"]
    return subprocess.run(told, check=True, capture_output=True, text=True).stdout.strip()


def option(parser: ArgumentParser) -> None:
    """Add the option `--json`, whose value `save` takes."""
    parser.add_argument("--json", default="", help=f"the document to add to; `{OWN}` is that of this folder")


def save(bench: str, rows: Iterable[Row], path: str | Path = "", **more: str) -> Path:
    """Write the document of a benchmark, or add to it; return where it is. `more`: further versions."""
    target = Path(path) if path not in {"", OWN} else RESULTS / f"{bench}.json"
    known = load(target)[1] if target.exists() else []
    today, now = datetime.now(UTC).date().isoformat(), commit()
    new = [_rounded(row, today, now) for row in rows]
    again = {(row.what, row.size, row.unit) for row in new}
    kept = [row for row in known if (row.what, row.size, row.unit) not in again]
    document = {
        "bench": bench,
        "date": today,
        "commit": now,
        "machine": machine(),
        "versions": versions() | more,
        "rows": [asdict(row) | {"ratio": row.ratio and round(row.ratio, 3)} for row in _sorted([*kept, *new])],
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return target


def _rounded(row: Row, today: str, now: str) -> Row:
    row.seconds, row.raw = [round(each, 3) for each in row.seconds], [round(each, 3) for each in row.raw]
    row.cpu = None if row.cpu is None else round(row.cpu, 2)
    row.peak = None if row.peak is None else round(row.peak, 1)
    row.date, row.commit = today, now
    return row


def _sorted(rows: list[Row]) -> list[Row]:
    """Return rows by what they measure, in the order in which that came first, then by size."""
    first: dict[tuple[str, str], int] = {}
    for row in rows:
        first.setdefault((row.unit, row.what), len(first))
    return sorted(rows, key=lambda row: (first[row.unit, row.what], row.size))


def load(path: Path) -> tuple[dict[str, Any], list[Row]]:
    """Return a document without its rows, and its rows."""
    document = json.loads(path.read_text())
    rows = document.pop("rows")
    return document, [Row(**{key: value for key, value in each.items() if key != "ratio"}) for each in rows]


def documents() -> list[Path]:
    """Return the documents that are kept."""
    return sorted(RESULTS.glob("*.json"))


# --- what the README says


HEAD = ["what", "size", "seconds", "against", "its seconds", "ratio", "CPU s", "peak MiB"]


def the_tables() -> str:
    """Return a table for each document, under a line that says where and when it was measured."""
    return "\n\n".join(part for path in documents() for part in _part(path))


def _part(path: Path) -> Iterable[str]:
    document, rows = load(path)
    yield f"### {document['bench']}"
    host = document["machine"]
    days = sorted({f"{row.date} ({row.commit})" for row in rows})
    words = [f"{name} {value}" for name, value in document["versions"].items()]
    yield f"{host['cores']} cores, {host['memory_gib']} GiB; {', '.join(words)}; measured {', '.join(days)}."
    from tests.bench.drawing import plots_of  # it reads documents

    for plot in plots_of(path):
        yield f"![{plot.title}](results/{plot.name}.svg)"
    yield table(HEAD, [_cells(row) for row in rows])
    noted = [f"- {row.what}, {row.size:,} {row.unit}: {_noted(row.notes)}." for row in rows if row.notes]
    if noted:
        yield "\n".join(noted)


def _cells(row: Row) -> list[str]:
    rounds = f" (of {len(row.seconds)})" if len(row.seconds) > 1 else ""
    raw = _short(statistics.median(row.raw)) if row.raw else ""
    ratio = f"{row.ratio:.2f}" if row.ratio else ""
    cpu = "" if row.cpu is None else _short(row.cpu)
    peak = "" if row.peak is None else f"{row.peak:.0f}"
    return [row.what, f"{row.size:,} {row.unit}", f"{_short(row.median)}{rounds}", row.against, raw, ratio, cpu, peak]


def _noted(notes: dict[str, Any]) -> str:
    """Return notes as words: `apply 1.2, verify 0.1`."""
    return "; ".join(
        f"{name}: {_noted(value).replace(': ', ' ').replace(';', ',')}"
        if isinstance(value, dict)
        else f"{name}: {value}"
        for name, value in notes.items()
    )


def _short(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds < 10 else f"{seconds:,.1f}"  # two digits are noise above that


SECTION = Section("tests/bench/README.md", "tests.bench.document", the_tables)

if __name__ == "__main__":
    from tests.bench.drawing import write

    write()
    SECTION.write()
