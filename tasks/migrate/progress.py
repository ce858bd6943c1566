"""How far a migration is: a line for each namespace that ended, and a progress artifact of its flow run."""

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
"""Between two updates of the artifact: each is a row in Prefect's database."""


class _Quiet:
    """A listener for one of many namespaces side by side: steps are not shown, and of notes only why one waits."""

    def __init__(self, space: str, listener: progress.Listener) -> None:
        self._space, self._listener = space, listener

    def step(self, name: str, done: int, total: int | None) -> None:
        """Pass over it."""

    def note(self, text: str) -> None:
        """Pass it on, with the namespace."""
        self._listener.note(f"{self._space}: {text}")


class Board:
    """Counts namespaces as they end; used as `async with`."""

    def __init__(self, name: str, total: int, what: str = "migrate") -> None:
        """Begin with nothing done, of `total`; `what` is done with the namespaces."""
        self.name, self.total, self.done, self.what = name, total, 0, what
        self._artifact: UUID | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Make the artifact, and keep it up to date."""
        from prefect.artifacts import acreate_progress_artifact

        key = f"{self.what}-{re.sub('[^a-z0-9]+', '-', self.name)}-progress"
        told = f"{self.what} {self.name}: namespaces"
        self._artifact = await acreate_progress_artifact(0.0, key=key, description=told)
        self._task = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Tell the last count."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._tell()

    async def ended(self, space: str, work: Awaitable[End]) -> End:
        """Return what `work` returns, told when it comes."""
        with progress.listening(_Quiet(space, progress.listener())):
            end = await work
        self.tell(end)
        return end

    def tell(self, end: End) -> None:
        """Count one namespace, and tell how it ended."""
        self.done += 1
        why = f": {end.why}" if end.why else f", {end.objects} objects"
        progress.note(f"{end.title}: {end.phase.value}{why} ({self.done} of {self.total}, {end.seconds:.1f} s)")
        progress.step(f"{self.what} {self.name}", self.done, self.total)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(SECONDS)
            await self._tell()

    async def _tell(self) -> None:
        from prefect.artifacts import aupdate_progress_artifact

        if self._artifact:
            await aupdate_progress_artifact(self._artifact, 100.0 * self.done / (self.total or 1))
