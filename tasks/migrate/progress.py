"""Progress of a migration: a line for each namespace that ended, and a progress artifact of its flow run."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from kubeferry.tasks.ports.local import progress

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from uuid import UUID

    from kubeferry.tasks.core.formats.migration import End

SECONDS = 2.0
"""Seconds between two updates of the artifact: each is a row in Prefect's database."""


class _Quiet:
    """A listener for one of many concurrent namespaces: it ignores steps and passes notes on."""

    def __init__(self, namespace: str, listener: progress.Listener) -> None:
        self._namespace, self._listener = namespace, listener

    def step(self, name: str, done: int, total: int | None) -> None:
        """Ignore the step."""

    def note(self, text: str) -> None:
        """Pass the note on, with the namespace."""
        self._listener.note(f"{self._namespace}: {text}")


class Board:
    """Counts namespaces as they end; used as `async with`."""

    def __init__(self, name: str, total: int, what: str = "migrate") -> None:
        """Start the count at 0 of `total`; `what` is the verb in titles and keys."""
        self.name, self.total, self.done, self.what = name, total, 0, what
        self._artifact: UUID | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Create the artifact, and keep it up to date."""
        from prefect.artifacts import acreate_progress_artifact

        key = f"{self.what}-{re.sub('[^a-z0-9]+', '-', self.name)}-progress"
        title = f"{self.what} {self.name}: namespaces"
        self._artifact = await acreate_progress_artifact(0.0, key=key, description=title)
        self._task = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write the final count."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._update()

    async def ended(self, namespace: str, work: Awaitable[End]) -> End:
        """Return the end that `work` returns, and report it."""
        with progress.listening(_Quiet(namespace, progress.listener())):
            end = await work
        self.report(end)
        return end

    def report(self, end: End) -> None:
        """Count one namespace, and report how it ended."""
        self.done += 1
        why = f": {end.why}" if end.why else f", {end.objects} objects"
        progress.note(f"{end.title}: {end.phase.value}{why} ({self.done} of {self.total}, {end.seconds:.1f} s)")
        progress.step(f"{self.what} {self.name}", self.done, self.total)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(SECONDS)
            await self._update()

    async def _update(self) -> None:
        from prefect.artifacts import aupdate_progress_artifact

        if self._artifact:
            await aupdate_progress_artifact(self._artifact, 100.0 * self.done / (self.total or 1))
