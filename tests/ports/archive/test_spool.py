"""Values on disk, read back by many threads, in a file that only its owner may read."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.ports.archive.spool import Spool


@pytest.fixture
def spool(tmp_path):
    made = Spool(tmp_path / "spool")
    yield made
    made.close()


def test_values_are_read_in_any_order_by_many_threads(spool):
    slots = [spool.append(json.dumps({"n": number, "text": "é" * number}).encode()) for number in range(300)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(spool.read, reversed(slots)))
    assert found == [{"n": number, "text": "é" * number} for number in reversed(range(300))]


def test_a_value_is_there_as_soon_as_it_is_appended(spool):
    for number in range(20):
        assert spool.read(spool.append(b"%d" % number)) == number


def test_the_file_is_private_and_empty_at_first(tmp_path):
    path = tmp_path / "spool"
    path.write_bytes(b"of a run before")
    spool = Spool(path)
    try:
        assert path.stat().st_size == 0
        assert spool.append(b"1").offset == 0
    finally:
        spool.close()


def test_a_new_file_is_private(tmp_path, spool):  # noqa: ARG001 - it makes the file
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o600


@given(st.lists(st.recursive(st.none() | st.booleans() | st.text(), st.lists, max_leaves=5), max_size=20))
def test_any_values_come_back(tmp_path_factory, values):
    spool = Spool(tmp_path_factory.mktemp("spool") / "s")
    try:
        slots = [spool.append(json.dumps(value).encode()) for value in values]
        assert [spool.read(slot) for slot in slots] == values
    finally:
        spool.close()
