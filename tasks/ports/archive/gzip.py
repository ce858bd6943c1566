"""Gzip by Intel's ISA-L, ten times as fast as zlib at level 1; the only importer of `isal`, which has no types.

Input is not trusted: a file that is truncated, not valid gzip, or that unpacks to more than its limit
(tasks/core/jsondoc/limits.py) is a DamagedError. The message is only the cause; the caller adds the file.
"""

from __future__ import annotations

import io
import zlib
from contextlib import closing
from typing import IO, TYPE_CHECKING, Any, cast

from isal import igzip, isal_zlib

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.jsondoc.limits import MAX_OBJECT, MAX_RATIO, MIB, SIDE_ROOM, most_unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAMAGED: tuple[type[Exception], ...] = (DamagedError,)
"""Errors that reading a truncated or invalid gzip file raises."""

_UNSOUND: tuple[type[Exception], ...] = (
    cast("type[Exception]", igzip.BadGzipFile),
    cast("type[Exception]", isal_zlib.error),
    zlib.error,
    EOFError,
)


class Reader:
    """Reads all members (RFC 1952) of a gzip file as one stream, up to a number of bytes."""

    def __init__(self, source: Path | io.BytesIO, most: int) -> None:
        """Open a file, or bytes, that may unpack to at most `most` bytes."""
        given = {"fileobj": source} if isinstance(source, io.BytesIO) else {"filename": source}
        self._file: IO[bytes] = _file(mode="rb", **given)
        self._most = self._left = most

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end.

        Raises:
            DamagedError: it is invalid, or unpacks to too many bytes.
        """
        try:
            return self._counted(self._file.read(size))
        except _UNSOUND as error:
            raise DamagedError(f"is no sound gzip file ({error or type(error).__name__})") from error

    def lines(self) -> Iterator[bytes]:
        """Yield the lines, each with its line end.

        Raises:
            DamagedError: as `read`, or a line is longer than any object.
        """
        try:
            while line := self._counted(self._file.readline(MAX_OBJECT + 1)):
                if len(line) > MAX_OBJECT:
                    raise DamagedError(f"has a line of more than {MAX_OBJECT // MIB} MiB")
                yield line
        except _UNSOUND as error:
            raise DamagedError(f"is no sound gzip file ({error or type(error).__name__})") from error

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise DamagedError(f"unpacks to more than {self._most // MIB} MiB, which its size does not explain")
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def writer(path: Path) -> IO[bytes]:
    """Return a new gzip file, open for writing."""
    return cast("IO[bytes]", _file(path, "wb", compresslevel=1))


def reader(path: Path, most: int | None = None) -> closing[Reader]:
    """Return a gzip file, open for reading; without `most` the limit of the files beside a tarball applies."""
    return closing(Reader(path, most_unpacked(path.stat().st_size, SIDE_ROOM) if most is None else most))


def compress(data: bytes) -> bytes:
    """Return `data` as one gzip member, without a time in its header: the same data give the same bytes."""
    return bytes(_compress(data, 1, mtime=0))


def decompress(data: bytes, ratio: int = MAX_RATIO) -> bytes:
    """Return the unpacked data; `ratio` limits how many times as large as the packed data it may be.

    Raises:
        DamagedError: it is invalid, or unpacks to more.
    """
    most = most_unpacked(len(data), SIDE_ROOM, ratio)
    with closing(Reader(io.BytesIO(data), most)) as file:
        return file.read(most + 1)


_file: Any = igzip.IGzipFile
_compress: Any = igzip.compress
