"""The stored lines and the words of options that READMEs show are those that Kubeferry reads."""

import json
import re

import pytest
from tests.docs.readmes import TEXTS

from kubeferry.tasks.core.formats import links
from kubeferry.tasks.core.formats.journal import parse_entries
from kubeferry.tasks.core.lookup import bindings
from kubeferry.tasks.core.lookup.substitute import Absent
from kubeferry.tasks.core.transform.rename.classes import RULES

TEXT = TEXTS["tasks/core/formats/README.md"]
LINES = [
    line for block in re.findall(r"^```json\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]
READERS = {
    "ref": lambda line: links.to_json(links.from_json(json.loads(line))) | {"ref": json.loads(line)["ref"]},
    "object": lambda line: bindings.to_json(bindings.from_json(json.loads(line))),
    "at": lambda line: parse_entries(line.encode(), "shown", "1")[0].model_dump(mode="json", exclude_defaults=True),
}
"""The first field of a line → what reads and writes it."""


@pytest.mark.parametrize("line", LINES)
def test_a_line_that_is_shown_is_read_and_written_as_it_stands(line):
    shown = json.loads(line)
    assert READERS[next(iter(shown))](line) == shown


def test_a_line_of_each_kind_is_shown_and_the_chain_as_it_reads():
    assert {next(iter(json.loads(line))) for line in LINES} == set(READERS)
    (binding,) = [bindings.from_json(json.loads(line)) for line in LINES if line.startswith('{"object"')]
    assert f"`{binding.chain.text()}`" in TEXT.replace("\n", " ")


def test_the_classes_of_rewrites_and_the_policies_are_those_that_there_are():
    text = " ".join(TEXTS["flows/README.md"].split())
    listed = re.search(r"`--no-rewrite` turns them off by class \(([^)]*)\)", text)[1]
    assert listed == ", ".join(f"`{each}`" for each in RULES)
    explained = re.search(r"\*\*`--absent CLASS=POLICY`\*\*.*?\*\*`--owned", text)[0]
    assert [each.value for each in Absent if f"`{each.value}`" not in explained] == []
