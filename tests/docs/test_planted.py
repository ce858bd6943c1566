"""The table of planted faults is true: each has its place in the code, once, and is caught by a test that is there."""

import ast
from collections import Counter

import pytest
from tests.planted.faults import ROOT, load

FAULTS = load()


def test_there_are_enough_of_many_kinds_in_many_files():
    assert len(FAULTS) >= 40
    assert len({fault.kind for fault in FAULTS}) >= 8
    assert len({fault.file for fault in FAULTS}) >= 25
    assert [name for name, count in Counter(fault.name for fault in FAULTS).items() if count > 1] == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_has_its_place_and_its_test(fault):
    """And what it makes of the code is still code: else any test would catch it."""
    text = fault.planted((ROOT / fault.file).read_text())
    ast.parse(text)
    assert fault.caught_by
    for test in fault.caught_by:
        path, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / path).read_text(), test
