"""Atomic writes of local files: write a temporary file, flush it to disk, then rename it. And files of keys.

A killed process leaves at most a file with the prefix TEMPORARY, which every reader here ignores.
"""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.recipients import is_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TEMPORARY = ".kubeferry-tmp-"
"""Prefix of the names of unfinished files."""

CHUNK = 1 << 20
"""Bytes copied at a time."""


@contextmanager
def written(path: Path, publish: Callable[[Path, Path], object] = os.replace) -> Iterator[BinaryIO]:
    """Yield a file (mode 0600) to write; it becomes `path` if the block ends without an error, else it is removed.

    Args:
        path: the final path; its folder must exist.
        publish: gives the finished file its name. `os.link` refuses if `path` exists (FileExistsError).

    Raises:
        OSError: an error of the disk.
    """
    temporary = path.parent / f"{TEMPORARY}{uuid.uuid4().hex}"
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        publish(temporary, path)
        sync_folder(path.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):  # renamed, or never created
            temporary.unlink()


def make_folder(folder: Path) -> None:
    """Create `folder` and its missing parents, each with mode 0700 (`Path.mkdir` applies the umask to parents).

    Raises:
        OSError: an error of the disk; NotADirectoryError if a file is in the way.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:  # another writer was faster
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Flush the entries of `folder` to disk, so that a rename survives a power failure."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


LARGEST_KEY_FILE = 2**20
"""Bytes; a key file has at most some hundred lines, and a larger file was named by mistake."""


def read_key_file(path: str, what: str, advice: str) -> bytes:
    """Return the content of a file of keys, which messages call `what`; `advice` is for who gave a secret key itself.

    Raises:
        UsageError: it cannot be read, or is no such file; no message quotes from it.
    """
    if is_secret(path):
        raise UsageError(f"a secret key itself must not be given: {advice}")
    try:
        with Path(path).expanduser().open("rb") as file:
            data = file.read(LARGEST_KEY_FILE + 1)
    except (OSError, RuntimeError, ValueError) as error:  # no such home directory; a path with a NUL
        raise UsageError(f"{what} {path}: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > LARGEST_KEY_FILE:
        raise UsageError(f"{what} {path} is larger than any file of keys")
    return data
