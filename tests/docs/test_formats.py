"""The lines that tasks/core/formats/README.md shows are such as Kubeferry reads."""

import json
import re

import pytest
from tests.docs.readmes import TEXTS

from kubeferry.tasks.core.formats import links
from kubeferry.tasks.core.formats.journal import parse_entries
from kubeferry.tasks.core.lookup import bindings

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


def test_a_line_of_each_kind_is_shown_and_the_chain_is_told_as_it_reads():
    assert {next(iter(json.loads(line))) for line in LINES} == set(READERS)
    (binding,) = [bindings.from_json(json.loads(line)) for line in LINES if line.startswith('{"object"')]
    assert f"`{binding.chain.text()}`" in TEXT.replace("\n", " ")
