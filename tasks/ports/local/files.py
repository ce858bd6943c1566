"""Files of this machine that are there whole or not at all: written beside, flushed to disk, then renamed.

A killed process leaves at most a file with the prefix TEMPORARY, which nothing of ours takes for a real one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TEMPORARY = ".kubeferry-tmp-"
"""How the names of unfinished files begin."""

CHUNK = 1 << 20
"""Bytes that are copied at a time."""


@contextmanager
def written(path: Path, publish: Callable[[Path, Path], object] = os.replace) -> Iterator[BinaryIO]:
    """Give a file (mode 0600) to write; when the block ends without an error it becomes `path`, else it is removed.

    Args:
        path: where it will be; its folder must be there.
        publish: how the finished file is given its name. `os.link` refuses where `path` exists (FileExistsError).

    Raises:
        OSError: the disk's.
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
        with contextlib.suppress(FileNotFoundError):  # renamed, or never made
            temporary.unlink()


def make_folder(folder: Path) -> None:
    """Make `folder` and what is missing above it, each with mode 0700 (`Path.mkdir` gives parents the umask's).

    Raises:
        OSError: the disk's; NotADirectoryError where a file is in the way.
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
    """Flush the names in `folder` to disk, so that a rename outlives a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
