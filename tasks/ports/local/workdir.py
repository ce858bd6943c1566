"""A private folder for the length of one flow run: what is read from clusters is spooled there, not held in memory.

It holds Secrets in the clear, so only its owner may enter it and it is deleted at the end. What a killed process left
behind is deleted by the next one: a folder whose lock is free belongs to nobody.
"""

from __future__ import annotations

import errno
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from kubeferry.tasks.core.errors import DiskError
from kubeferry.tasks.ports.local import paths

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCK = "in-use.lock"

DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}
"""What only a disk says: full, over its quota, over the limit of a file's size, read-only, broken."""


@contextmanager
def workdir() -> Iterator[Path]:
    """Yield a new private folder, deleted when the `with` block ends, however it ends.

    Raises:
        DiskError: the disk is full, read-only or broken.
    """
    with disk_told():
        yield from _workdir()


@contextmanager
def disk_told() -> Iterator[None]:
    """Turn what a disk says that cannot hold the spool into one line; network and stores tell of themselves."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK:
            raise
        where = error.filename or _root()
        ways = "KUBEFERRY_HOME moves what is spooled while a flow runs"
        raise DiskError(f"{where}: {error.strerror}: {ways}") from error


def _root() -> Path:
    return paths.state() / "work"


def _workdir() -> Iterator[Path]:
    root = _root()
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = None
    guard = root / "clean-up.lock"
    with FileLock(guard):  # nobody takes a folder for abandoned between its making and its locking
        _clean(root)
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=root))
        lock = FileLock(folder / _LOCK, thread_local=False)
        lock.acquire()
    try:
        yield folder
    finally:
        with FileLock(guard):  # nobody makes the lock file anew in a folder that is half gone
            shutil.rmtree(folder)
            lock.release()


def _clean(root: Path) -> None:
    for folder in root.glob("run-*"):
        lock = FileLock(folder / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue  # its process lives
        shutil.rmtree(folder)
        lock.release()
