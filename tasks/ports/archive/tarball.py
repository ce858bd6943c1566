"""Read and write the tarball of a backup, an object at a time.

A writer makes a fragment: whole gzip members of tar entries without the closing blocks, so that fragments written side
by side are joined by appending them (RFC 1952 allows many members in one file; Go's and Python's readers read on). A
reader trusts nothing: entries that are not plain files inside the layout, that come twice or are too large are refused,
and so is a tarball that unpacks to far more than its size explains (limits.py).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import DamagedError, UsageError
from kubeferry.tasks.core.formats.layout import (
    VELERO_FORMAT,
    VERSION_FILE,
    check_folder_path,
    check_version,
    parse_member,
)
from kubeferry.tasks.core.jsondoc.limits import MAX_OBJECT, MIB, ROOM, most_unpacked
from kubeferry.tasks.ports.archive import gzip, tar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from kubeferry.tasks.core.formats.layout import Member

VARIABLE = "KUBEFERRY_MAX_UNPACKED"
"""Grants tarballs a size in GiB, for a real one that shrinks more than limits.py foresees."""

_USTAR_SIZES = 8**11
_OWNER = b"0000644\0000000000\0000000000\0"
_TIME = b"\00000000000000\0"
_REST = (b"0" + bytes(100) + tarfile.POSIX_MAGIC).ljust(tarfile.BLOCKSIZE - 156, b"\0")
_FIXED_SUM = sum(_TIME) + sum(_REST) + 8 * ord(" ")
_CLOSING = bytes(2 * tarfile.BLOCKSIZE)


def _entry(path: str, data: bytes) -> bytes:
    return _header(path, len(data)) + data + bytes(-len(data) % tarfile.BLOCKSIZE)


def _header(path: str, size: int) -> bytes:
    """Return the header of a plain file, as `tarfile` writes it for mode 0644 and time 0.

    Nearly all paths are short and ASCII; for those the fixed fields (POSIX ustar) are filled in here, since
    `tarfile` takes 40 us an entry, a third of the time of stripping a Secret. The others go through `tarfile`.
    """
    name = path.encode()
    if len(name) > tarfile.LENGTH_NAME or not path.isascii() or size >= _USTAR_SIZES:
        info = tarfile.TarInfo(path)
        info.size = size
        return info.tobuf(tarfile.PAX_FORMAT)
    fields = b"%s%b%011o" % (name.ljust(tarfile.LENGTH_NAME, b"\0"), _OWNER, size)
    # The checksum is the sum of all bytes, those of its own field taken as spaces (which _REST is made with).
    return b"%b%b%06o\0 %b" % (fields, _TIME, sum(fields) + _FIXED_SUM, _REST)


class FragmentWriter:
    """Writes one fragment to a file of its own."""

    def __init__(self, path: Path) -> None:
        """Begin a fragment at `path`."""
        self._file = gzip.writer(path)

    def add(self, path: str, data: bytes) -> str:
        """Add one object's JSON; return the SHA-256 of its bytes, in hex."""
        self._file.write(_entry(path, data))
        return hashlib.sha256(data).hexdigest()

    def close(self) -> None:
        """End the fragment."""
        self._file.close()

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the fragment."""
        self.close()


def join(fragments: Iterable[Path], target: Path) -> None:
    """Write the whole tarball: the format's version, all fragments, the closing blocks."""
    with target.open("wb") as out:
        out.write(gzip.compress(_entry(VERSION_FILE, f"{VELERO_FORMAT}\n".encode())))
        for fragment in fragments:
            with fragment.open("rb") as source:
                shutil.copyfileobj(source, out, 2**20)
        out.write(gzip.compress(_CLOSING))


def read(path: Path, name: str) -> Iterator[tuple[Member, str, bytes]]:
    """Yield (place, path, bytes) of each object in the tarball of backup `name`, in the archive's order.

    Raises:
        DamagedError: cut short, not gzip, not tar, of another version, or holding what no archive may hold.
        UsageError: KUBEFERRY_MAX_UNPACKED is no number.
    """
    try:
        with gzip.reader(path, _most(path)) as plain:
            yield from _objects(plain)
    except DamagedError as error:
        raise DamagedError(f"backup {name}: its archive is damaged: it {error}") from error


def _objects(plain: gzip.Reader) -> Iterator[tuple[Member, str, bytes]]:
    seen: set[Member] = set()
    for entry in tar.entries(plain):
        if entry.is_folder:
            check_folder_path(entry.name)
            continue
        member = parse_member(entry.name)
        if entry.name.removeprefix("./") == VERSION_FILE:
            check_version(_content(entry))
        if member is None:
            continue
        if member in seen:
            raise DamagedError(f"holds {entry.name[:200]!r} twice")
        seen.add(member)
        yield member, entry.name, _content(entry)


def _content(entry: tar.Entry) -> bytes:
    if entry.size > MAX_OBJECT:
        raise DamagedError(f"holds {entry.name[:200]!r} of {entry.size} bytes, more than any object has")
    return entry.read()


def _most(path: Path) -> int:
    """Return to how many bytes a tarball may unpack: by its size, or what the user grants."""
    granted = os.environ.get(VARIABLE, "")
    if granted and not granted.isdecimal():
        raise UsageError(f"{VARIABLE} must be a number of GiB, not {granted[:40]!r}")
    return int(granted) * 1024 * MIB if granted else most_unpacked(path.stat().st_size, ROOM)
