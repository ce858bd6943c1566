"""Have workers restore the namespaces of a migration: a flow run of its own for each, on the deployment's work pool.

What a flow run answers is read from the store, where each writes how it ended; Prefect is asked only whether one ended
without a word.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import NotFoundError
from kubeferry.tasks.core.formats.migration import End
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.ports.records.migrations import read_end
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from prefect.client.schemas.objects import FlowRun

    from kubeferry.tasks.migrate.progress import Board
    from kubeferry.tasks.migrate.state import Migrating

POLL = 1.0
"""Seconds between two looks at the flow runs: one request for many of them."""

AT_ONCE = 100
"""Flow runs that one request asks after: below the 200 that Prefect's server answers with."""


class Dispatch:
    """Flow runs of namespaces on a work pool."""

    def __init__(self, migrating: Migrating, board: Board) -> None:
        """Start nothing yet."""
        self._migrating, self._board = migrating, board

    def __repr__(self) -> str:
        """Return the name: Prefect shows it where it shows parameters."""
        return f"{self._migrating.name}"

    async def run(self, spaces: Iterable[str]) -> list[End]:
        """Return how it went with each namespace."""
        runs = await submit(self, sorted(spaces))
        ends: list[End] = []
        while runs:
            await asyncio.sleep(POLL)
            over = [each for each in await self._look(runs) if each.state and each.state.is_final()]
            for each in over:
                end = await self._end(runs.pop(each.id), each)
                self._board.tell(end)
                ends.append(end)
        return ends

    async def start(self, space: str) -> UUID:
        """Start the flow run of one namespace."""
        from prefect.deployments import arun_deployment
        from prefect.exceptions import ObjectNotFound

        options = self._migrating.options
        asked = {"migration": self._migrating.name, "namespace": space, "store": options.store}
        try:
            run = await arun_deployment(
                options.deployment, parameters={"options": asked}, flow_run_name=f"migrate {space}", timeout=0
            )
        except ObjectNotFound:
            told = f"no deployment {options.deployment}: register it with kubeferry deploy"
            raise NotFoundError(told) from None
        return run.id

    async def _look(self, runs: dict[UUID, str]) -> list[FlowRun]:
        from prefect import get_client
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
        from prefect.client.schemas.sorting import FlowRunSort

        ids = sorted(runs)
        found: list[FlowRun] = []
        async with get_client() as client:
            for at in range(0, len(ids), AT_ONCE):
                some = FlowRunFilter(id=FlowRunFilterId(any_=ids[at : at + AT_ONCE]))
                # Left out, as they may be by their types, both are sent as null, which the server refuses (3.8.8).
                found += await client.read_flow_runs(flow_run_filter=some, limit=AT_ONCE, sort=FlowRunSort.ID_DESC)
        return found

    async def _end(self, space: str, run: FlowRun) -> End:
        migrating, state = self._migrating, run.state
        told = await in_thread(read_end, migrating.backup.store, migrating.name, space)
        if told is not None:
            return told
        name, why = (state.name, state.message or "") if state else ("", "")
        error = f"its flow run {run.name} ended as {name}" + (f": {why}" if why else "")
        return End(namespace=space, into=migrating.source.namespaces[space], phase=Phase.FAILED, error=error)


@step("start flow runs on {dispatch._migrating.options.deployment}")
async def submit(dispatch: Dispatch, spaces: list[str]) -> dict[UUID, str]:
    """Return the flow runs of namespaces, as they were started.

    Raises:
        NotFoundError: the deployment is not registered.
    """
    return {await dispatch.start(space): space for space in spaces}
