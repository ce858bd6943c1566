"""One at a time: a lock between processes, which the system lets go when its holder dies."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from kubeferry.tasks.ports.local import progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file `path`, whose folder is made; where another process has it, say that `what` waits for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.note(f"another process is at it: {what} waits")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
