"""A file of many JSON values, read in any order by many threads: bodies on disk, only offsets in memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from pathlib import Path


class Slot(NamedTuple):
    """Position of a value in its spool, in bytes."""

    offset: int
    size: int


class Spool:
    """Append values, then read them back by slot; the file has mode 0600."""

    def __init__(self, path: Path) -> None:
        """Open a new, empty spool at `path`."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._end = 0

    def append(self, data: bytes) -> Slot:
        """Add one value; only one thread may write."""
        slot = Slot(self._end, len(data))
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
