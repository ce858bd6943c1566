"""Read a tar stream entry by entry, and accept only regular files: POSIX ustar, pax and GNU long names.

Written for untrusted input, for which Python's `tarfile` does too much: it takes a damaged header for the end of the
archive, follows chains of extended headers by recursion, and builds the map of a sparse file in memory. Entries that
are not regular files (links, devices, sparse files) and data after the end are refused before a byte of them is used.
Source: POSIX.1-2017, pax Interchange Format; GNU tar's manual, Basic Tar Format.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.jsondoc.limits import MAX_HEADER, MAX_PADDING

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = tarfile.BLOCKSIZE
CHUNK = 2**20
PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)
EXTENDED = (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME)

KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}
"""Type of an entry → its name in messages."""


class Source(Protocol):
    """The stream that a tar is read from."""

    def read(self, size: int, /) -> bytes:
        """Return `size` bytes, fewer only at the end."""
        ...


@dataclass(slots=True)
class Entry:
    """A regular file, or a folder (no bytes): its name as stored, not checked, and its size in bytes."""

    name: str
    size: int
    is_folder: bool
    _file: Source
    _left: int

    def read(self) -> bytes:
        """Return the whole content; call it once, and before the next entry is requested.

        Raises:
            DamagedError: the stream ends before the entry does.
        """
        data = _exactly(self._file, self._left)
        self._left = 0
        return data[: self.size]

    def skip(self) -> None:
        """Skip the bytes that were not read, a chunk at a time."""
        while self._left:
            self._left -= len(_exactly(self._file, min(self._left, CHUNK)))


def entries(file: Source) -> Iterator[Entry]:
    """Yield the files and folders of a tar, in its order.

    Raises:
        DamagedError: truncated, a damaged header, an entry of another type, or data after the end. The message is only
            the cause, such as "holds 'x', which is a symbolic link".
    """
    while (head := _header(file)) is not None:
        info, name, size = _extended(file, head)
        if info.type not in PLAIN and not info.isdir():
            raise DamagedError(f"holds {name[:200]!r}, which is {KINDS.get(info.type, 'not a plain file')}")
        if size < 0 or (info.isdir() and size):
            raise DamagedError(f"holds {name[:200]!r} with a size that it cannot have")
        entry = Entry(name, size, info.isdir(), file, size + -size % BLOCK)
        yield entry
        entry.skip()
    _end(file)


def _header(file: Source) -> tarfile.TarInfo | None:
    """Return the next header as stored; None at the two blocks of zeros that end a tar."""
    block = _exactly(file, BLOCK)
    if not any(block):
        if any(_exactly(file, BLOCK)):
            raise DamagedError("has a block of zeros in its middle")
        return None
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise DamagedError(f"has a damaged header ({error})") from error


def _extended(file: Source, info: tarfile.TarInfo) -> tuple[tarfile.TarInfo, str, int]:
    """Return the header of the entry itself, and its name and size, which extended headers may override."""
    name, size = "", None
    seen: list[bytes] = []
    while info.type in EXTENDED:
        if info.type in seen or not 0 <= info.size <= MAX_HEADER:
            raise DamagedError("has an extended header that comes twice, or has a size that none has")
        seen.append(info.type)
        data = _exactly(file, info.size + -info.size % BLOCK)[: info.size]
        if info.type == tarfile.XHDTYPE:
            records = _records(data)
            name, size = _text(records.get(b"path", b"")) or name, _size(records, size)
        else:
            name = _text(data.rstrip(b"\0"))
        following = _header(file)
        if following is None:
            raise DamagedError("has an extended header with no entry after it")
        info = following
    return info, name or info.name, info.size if size is None else size


def _records(data: bytes) -> dict[bytes, bytes]:
    """Return the records of a pax header; a record is its length, a space, KEY=VALUE and a newline."""
    found: dict[bytes, bytes] = {}
    while data:
        length, space, _ = data[:8].partition(b" ")
        end = int(length) if space and length.isdigit() else 0
        key, equals, value = data[len(length) + 1 : end].partition(b"=")
        if not equals or data[end - 1 : end] != b"\n" or key in found or end > len(data):
            raise DamagedError("has a pax header that cannot be read")
        if key.startswith(b"GNU.sparse."):
            raise DamagedError("holds a sparse file")
        found[key] = value[:-1]
        data = data[end:]
    return found


def _size(records: dict[bytes, bytes], before: int | None) -> int | None:
    stored = records.get(b"size")
    if stored is None:
        return before
    if not stored.isdigit() or len(stored) > len(str(2**63)):
        raise DamagedError("has a pax header with a size that no file has")
    return int(stored)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _exactly(file: Source, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise DamagedError("is cut short")
    return data


def _end(file: Source) -> None:
    """Read to the end, so that the last gzip checksums are verified; only a limited number of zeros may follow."""
    left = MAX_PADDING
    while more := file.read(CHUNK):
        left -= len(more)
        if left < 0 or more.strip(b"\0"):
            raise DamagedError("goes on after its end")
