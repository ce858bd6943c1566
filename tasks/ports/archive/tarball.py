"""Read and write the tarball of a backup, one object at a time.

A writer creates a fragment: complete gzip members with tar entries but without the closing blocks, so that fragments
written in parallel are joined by concatenation (RFC 1952 allows many members in a file; Go's and Python's readers
continue). The reader trusts nothing: it refuses entries outside the layout, duplicates, entries that are too large, and
a tarball that unpacks to far more than its size explains (tasks/core/jsondoc/limits.py).
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
"""Variable that raises the limit of unpacked tarballs, in GiB, for one that compresses better than limits.py allows."""

_USTAR_SIZES = 8**11
_OWNER = b"0000644\0000000000\0000000000\0"
_TIME = b"\00000000000000\0"
_REST = (b"0" + bytes(100) + tarfile.POSIX_MAGIC).ljust(tarfile.BLOCKSIZE - 156, b"\0")
_FIXED_SUM = sum(_TIME) + sum(_REST) + 8 * ord(" ")
_CLOSING = bytes(2 * tarfile.BLOCKSIZE)


def _entry(path: str, data: bytes) -> bytes:
    return _header(path, len(data)) + data + bytes(-len(data) % tarfile.BLOCKSIZE)


def _header(path: str, size: int) -> bytes:
    """Return the header of a regular file, as `tarfile` writes it for mode 0644 and time 0.

    Nearly all paths are short ASCII; for those the fixed fields (POSIX ustar) are filled in here, because `tarfile`
    takes 40 us per entry, a third of the time of stripping a Secret. All other paths go through `tarfile`.
    """
    name = path.encode()
    if len(name) > tarfile.LENGTH_NAME or not path.isascii() or size >= _USTAR_SIZES:
        info = tarfile.TarInfo(path)
        info.size = size
        return info.tobuf(tarfile.PAX_FORMAT)
    fields = b"%s%b%011o" % (name.ljust(tarfile.LENGTH_NAME, b"\0"), _OWNER, size)
    # The checksum is the sum of all bytes, with its own field counted as spaces (as in _FIXED_SUM).
    return b"%b%b%06o\0 %b" % (fields, _TIME, sum(fields) + _FIXED_SUM, _REST)


class FragmentWriter:
    """Writes one fragment to its own file."""

    def __init__(self, path: Path) -> None:
        """Begin a fragment at `path`."""
        self._file = gzip.writer(path)

    def add(self, path: str, data: bytes) -> str:
        """Add the JSON of one object; return its SHA-256 in hex."""
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
    """Write the whole tarball: the format version, all fragments, the closing blocks."""
    with target.open("wb") as out:
        out.write(gzip.compress(_entry(VERSION_FILE, f"{VELERO_FORMAT}\n".encode())))
        for fragment in fragments:
            with fragment.open("rb") as source:
                shutil.copyfileobj(source, out, 2**20)
        out.write(gzip.compress(_CLOSING))


def read(path: Path, name: str) -> Iterator[tuple[Member, str, bytes]]:
    """Yield (member, path, bytes) of each object in the tarball of backup `name`, in archive order.

    Raises:
        DamagedError: truncated, not gzip, not tar, of another version, or with entries that no archive may contain.
        UsageError: KUBEFERRY_MAX_UNPACKED is not a number.
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
    """Return how many bytes a tarball may unpack to: by its size, or as the user allows."""
    granted = os.environ.get(VARIABLE, "")
    if granted and not granted.isdecimal():
        raise UsageError(f"{VARIABLE} must be a number of GiB, not {granted[:40]!r}")
    return int(granted) * 1024 * MIB if granted else most_unpacked(path.stat().st_size, ROOM)
