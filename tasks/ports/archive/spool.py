"""A file of many JSON values, read in any order by many threads: bodies on disk, only offsets in memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

import orjson

if TYPE_CHECKING:
    from pathlib import Path


_SIZE = 32
"""Bits of the size: no value has 4 GiB."""


class Slot(int):
    """Position of a value in its spool: one number, as there is one for each object, and a pair takes twice as much."""

    __slots__ = ()

    @classmethod
    def at(cls, offset: int, size: int) -> Self:
        """Return the slot of `size` bytes from `offset` on."""
        return cls(offset << _SIZE | size)

    @property
    def offset(self) -> int:
        """Return where the value begins, in bytes."""
        return self >> _SIZE

    @property
    def size(self) -> int:
        """Return how long it is, in bytes."""
        return self & (1 << _SIZE) - 1


class Spool:
    """Append values, then read them back by slot; the file has mode 0600."""

    def __init__(self, path: Path) -> None:
        """Open a new, empty spool at `path`."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._end = 0

    def append(self, data: bytes) -> Slot:
        """Add one value; only one thread may write."""
        slot = Slot.at(self._end, len(data))
        view = memoryview(data)
        while view:
            written = os.pwrite(self._file, view, self._end)
            self._end, view = self._end + written, view[written:]
        return slot

    def read(self, slot: Slot) -> Any:
        """Return the JSON value at `slot`."""
        return orjson.loads(self.raw(slot))

    def raw(self, slot: Slot) -> bytes:
        """Return the bytes at `slot`."""
        return os.pread(self._file, slot.size, slot.offset)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
