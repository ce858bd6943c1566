"""Files, locks, errors and threads of the sandbox.

A file is written under a temporary name and then renamed, so that nobody reads it half-written. The system releases a
lock when its process dies. An error is one line that names the process or the build step; the last lines of its log are
the error's notes (PEP 678), since the text of an error is one line everywhere in Kubeferry.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.ports.local import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path


PRIVATE = 0o600
"""Mode of every file: nearly all hold tokens or keys, and no other user needs them."""


def write(path: Path, text: str) -> None:
    """Write `text` to `path` atomically, readable by this user only; missing folders are created."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "w") as file:
        file.write(text)
    draft.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in `path`; {} when it is absent or unreadable, as after a crash or a full disk."""
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Write `data` to `path` as JSON, atomically."""
    write(path, json.dumps(data, indent=1))


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file `path`, whose folder is created; if another process holds it, note that `what` waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.note(f"{what} waits for another process")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


TAIL = 12
"""How many lines of a log an error shows: enough for a Go panic's first frame or a compiler's complaint."""


class SandboxError(PermanentError):
    """The sandbox could not be built or started: the message names the step or process, the notes show its log."""


def with_notes(error: SandboxError, notes: Iterable[str]) -> SandboxError:
    """Return `error` with `notes`, a line each."""
    for note in notes:
        error.add_note(note)
    return error


def with_log(message: str, log: Path) -> SandboxError:
    """Return an error with `message` and the path of `log`, and the last lines of the log as notes."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return with_notes(SandboxError(f"{message} (log: {log})"), (f"  {line}" for line in lines[-TAIL:]))


def run_all(jobs: Sequence[Callable[[], None]]) -> None:
    """Run `jobs`, each in a thread and with the caller's progress listener; return when all have ended.

    Raises the exception of a job; if several jobs failed, a SandboxError with all their messages and notes.
    """
    if not jobs:
        return
    with ThreadPoolExecutor(max_workers=len(jobs)) as pool:
        futures = [pool.submit(copy_context().run, job) for job in jobs]
    failures = [failure for failure in (future.exception() for future in futures) if failure]
    if len(failures) == 1:
        raise failures[0]
    if failures:
        notes = [note for failure in failures for note in getattr(failure, "__notes__", ())]
        raise with_notes(SandboxError("; ".join(map(str, failures))), notes) from failures[0]
