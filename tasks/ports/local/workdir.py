"""A private work folder for one flow run: objects read from clusters are spooled there, not held in memory.

It contains Secrets in plain text, so only its owner can access it, and it is deleted at the end of the run. A folder
whose lock is free was left by a killed process; the next run deletes it.
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
"""Errors that only a disk reports: full, over quota, file too large, read-only, broken."""


@contextmanager
def workdir() -> Iterator[Path]:
    """Yield a new private folder; it is deleted when the `with` block ends, also on an error.

    Raises:
        DiskError: the disk is full, read-only or broken.
    """
    with disk_errors_named():
        yield from _workdir()


@contextmanager
def disk_errors_named() -> Iterator[None]:
    """Turn an error of the spool's disk into a DiskError of one line; network and stores report their own errors."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK:
            raise
        where = error.filename or _root()
        ways = "KUBEFERRY_HOME moves what is spooled while a flow runs"
        raise DiskError(f"{where}: {error.strerror}: {ways}") from error


_own: set[Path] = set()
"""The folders of runs of this process that are under way."""


def is_own(path: Path) -> bool:
    """Return whether a path, without `..` and links, is in a work folder of this process: nobody else writes there."""
    return any(path.resolve().is_relative_to(folder.resolve()) for folder in _own.copy())


def _root() -> Path:
    return paths.state() / "work"


def _workdir() -> Iterator[Path]:
    root = _root()
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = None
    guard = root / "clean-up.lock"
    with FileLock(guard):  # no other run deletes the folder between its creation and its locking
        _clean(root)
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=root))
        lock = FileLock(folder / _LOCK, thread_local=False)
        lock.acquire()
    _own.add(folder)
    try:
        yield folder
    finally:
        _own.discard(folder)
        with FileLock(guard):  # no other run recreates the lock file in a folder that is being deleted
            shutil.rmtree(folder)
            lock.release()


def _clean(root: Path) -> None:
    for folder in root.glob("run-*"):
        lock = FileLock(folder / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue  # its process is alive
        shutil.rmtree(folder)
        lock.release()
