"""Read and write the tarball of a backup, an object at a time.

A writer makes a fragment: whole gzip members of tar entries without the closing blocks, so that fragments written side
by side are joined by appending them (RFC 1952 allows many members in one file; Go's and Python's readers read on). A
reader trusts nothing: entries that are not plain files inside the layout, that come twice or are too large are refused.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from typing import IO, TYPE_CHECKING

from tasks.core.errors import DamagedError
from tasks.core.layout import VELERO_FORMAT, parse_member
from tasks.ports import gzip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from tasks.core.layout import Member

MAX_OBJECT = 64 * 2**20
"""Bytes. etcd takes 1.5 MiB a request; what Velero stores may be some times that, and no more."""

MAX_HEADER = 64 * 2**10
"""Bytes of an extended header: it holds a path, so a long one is there only to fill the memory."""

# RecursionError: tarfile takes a row of extended headers by calling itself.
_DAMAGED: tuple[type[Exception], ...] = (*gzip.DAMAGED, tarfile.TarError, ValueError, RecursionError)
_EXTENDED = {
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
}
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
        out.write(gzip.compress(_entry("metadata/version", f"{VELERO_FORMAT}\n".encode())))
        for fragment in fragments:
            with fragment.open("rb") as source:
                shutil.copyfileobj(source, out, 2**20)
        out.write(gzip.compress(_CLOSING))


class _Header(tarfile.TarInfo):
    """A header that has to be sound: tarfile takes a damaged or missing one for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        if len(buf) != tarfile.BLOCKSIZE:
            raise tarfile.ReadError("it is cut short: its closing blocks are missing")
        if not any(buf):
            return super().frombuf(buf, encoding, errors)  # tells tarfile that this is the end
        try:
            info = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"a header in it is damaged: {error}") from error
        if info.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError("it holds a sparse file")
        if info.size < 0 or (info.type in _EXTENDED and info.size > MAX_HEADER):
            raise tarfile.ReadError(f"a header in it has a size that none has: {info.size} bytes")
        return info


def read(path: Path, name: str) -> Iterator[tuple[Member, str, bytes]]:
    """Yield (place, path, bytes) of each object in the tarball of backup `name`, in the archive's order.

    Raises:
        DamagedError: cut short, not gzip, not tar, or holding what no archive may hold.
    """
    seen: set[Member] = set()
    try:
        with gzip.reader(path) as plain, tarfile.open(fileobj=plain, mode="r|", tarinfo=_Header) as tar:
            for info in tar:
                member = _checked(info, name, seen)
                if member:
                    content = tar.extractfile(info) or io.BytesIO()
                    yield member, info.name, content.read()
            _rest(plain)
    except _DAMAGED as error:
        raise DamagedError(f"backup {name}: its archive is damaged: {error or type(error).__name__}") from error


def _rest(plain: IO[bytes]) -> None:
    """Read to the end, so that the checksums of the last gzip members are looked at too."""
    while plain.read(2**20):
        pass


def _checked(info: tarfile.TarInfo, name: str, seen: set[Member]) -> Member | None:
    if info.isdir():
        return None
    if not info.isreg() or info.issparse():
        raise DamagedError(f"backup {name}: its archive holds {info.name[:200]!r}, which is not a plain file")
    if not 0 <= info.size <= MAX_OBJECT:  # an extended header may also give a negative one
        raise DamagedError(
            f"backup {name}: {info.name[:200]!r} in its archive is {info.size} bytes, more than any object"
        )
    member = parse_member(info.name)
    if member in seen:
        raise DamagedError(f"backup {name}: its archive holds {info.name[:200]!r} twice")
    if member:
        seen.add(member)
    return member
