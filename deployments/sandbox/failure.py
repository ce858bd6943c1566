"""How the sandbox fails: one line that names the process or the build step, with the last lines of its log as notes.

The lines are the error's notes (PEP 678), since an error's text is one line everywhere in Kubeferry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

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
    """Return an error that says `message` and where `log` is, with its last lines as notes."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return with_notes(SandboxError(f"{message} (log: {log})"), (f"  {line}" for line in lines[-TAIL:]))
