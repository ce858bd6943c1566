"""ISA-L's gzip is everyone's gzip, and what is not sound gzip raises one of DAMAGED."""

import gzip as reference
import tracemalloc
import zlib
from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.jsondoc.limits import MAX_OBJECT, SIDE_ROOM
from kubeferry.tasks.ports.archive import gzip


@given(st.binary(max_size=5000))
def test_what_is_packed_is_unpacked_by_us_and_by_python(data):
    assert gzip.decompress(gzip.compress(data)) == data
    assert reference.decompress(gzip.compress(data)) == data
    assert gzip.decompress(reference.compress(data)) == data


def test_the_same_data_gives_the_same_bytes():
    assert gzip.compress(b"x")[4:8] == bytes(4), "no time in the header (RFC 1952)"


def test_files_of_many_members_are_one_stream(tmp_path):
    path = tmp_path / "f.gz"
    with gzip.writer(path) as out:
        out.write(b"one\n")
    with path.open("ab") as out:
        out.write(gzip.compress(b"two\n") + reference.compress(b"three\n"))
    with gzip.reader(path) as file:
        assert list(file.lines()) == [b"one\n", b"two\n", b"three\n"]
    assert reference.decompress(path.read_bytes()) == b"one\ntwo\nthree\n"


PACKED = reference.compress(bytes(range(256)) * 20, mtime=0)


@pytest.mark.parametrize(
    "raw",
    [
        b"not gzip",
        b"\x1f\x8b",
        PACKED[:-1],
        PACKED[:-8],
        PACKED[:20],
        PACKED[:-5] + bytes([PACKED[-5] ^ 1]) + PACKED[-4:],
        PACKED[:-1] + bytes([PACKED[-1] ^ 1]),
        PACKED[:40] + bytes([PACKED[40] ^ 255]) + PACKED[41:],
        PACKED + b"more",
        PACKED + b"\x1f",
        PACKED + PACKED[:12],
    ],
)
def test_what_is_not_whole_and_sound_is_damaged(raw, tmp_path):
    with pytest.raises(gzip.DAMAGED):
        gzip.decompress(raw)
    path = tmp_path / "f.gz"
    path.write_bytes(raw)
    with pytest.raises(gzip.DAMAGED), gzip.reader(path) as file:
        file.read(10**6)


def test_more_than_is_granted_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "f.gz"
    path.write_bytes(PACKED)
    with gzip.reader(path, 5120) as file:
        assert len(file.read(10**6)) == 5120
    with gzip.reader(path, 5119) as file, pytest.raises(DamagedError, match="unpacks to more than"):
        file.read(10**6)


def test_a_line_may_be_as_long_as_an_object(tmp_path):
    path = tmp_path / "f.gz"
    for more, fits in ((0, True), (1, False)):
        path.write_bytes(gzip.compress(b"x" * (MAX_OBJECT + more)))
        with gzip.reader(path) as file, nullcontext() if fits else pytest.raises(DamagedError, match="a line of more"):
            assert [len(line) for line in file.lines()] == [MAX_OBJECT]


def test_a_bomb_is_refused_and_the_memory_stays_bounded():
    """A gigabyte of zeros: the buffer that it is unpacked to is all that is held."""
    body = zlib.compressobj(9, wbits=31)
    packed = b"".join([*(body.compress(bytes(10**6)) for _ in range(1000)), body.flush()])
    tracemalloc.start()
    try:
        with pytest.raises(DamagedError, match="unpacks to more than 64 MiB"):
            gzip.decompress(packed, 20)
        assert tracemalloc.get_traced_memory()[1] < 4 * SIDE_ROOM
    finally:
        tracemalloc.stop()
