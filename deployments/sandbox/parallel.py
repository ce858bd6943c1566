"""Run a few jobs side by side, each with the progress listener of the caller, and hear of every failure."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING

from kubeferry.deployments.sandbox.failure import SandboxError, with_notes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def run_all(jobs: Sequence[Callable[[], None]]) -> None:
    """Run `jobs`, each in a thread; return when all have ended.

    Raises what a job raised; a SandboxError with all their messages and notes when several did.
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
