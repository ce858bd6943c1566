"""Restore the namespaces of a migration on workers: one flow run for each, on the work pool of a deployment.

Each flow run writes its end to the store, where it is read; Prefect reports only the state of runs that wrote none.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import NotFoundError, UsageError
from kubeferry.tasks.core.formats.migration import End
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.models.forms import OF_EARLIER, is_earlier
from kubeferry.tasks.ports.records.migrations import read_end
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from prefect.client.schemas.objects import FlowRun

    from kubeferry.tasks.migrate.progress import Board
    from kubeferry.tasks.migrate.state import Migrating

POLL = 1.0
"""Seconds between two polls of the flow runs; one request reads many of them."""

AT_ONCE = 100
"""Flow runs in one request: below the limit of Prefect's server, 200."""


class Dispatch:
    """Flow runs of namespaces on a work pool."""

    def __init__(self, migrating: Migrating, board: Board) -> None:
        """Start nothing yet."""
        self._migrating, self._board = migrating, board

    def __repr__(self) -> str:
        """Return the name, which Prefect shows among the parameters."""
        return f"{self._migrating.name}"

    async def run(self, namespaces: Iterable[str]) -> list[End]:
        """Run all namespaces and return their ends.

        Raises:
            NotFoundError: the deployment is not registered.
            UsageError: it was registered by an earlier version.
        """
        runs = await submit(self, sorted(namespaces))
        ends: list[End] = []
        while runs:
            await asyncio.sleep(POLL)
            over = [each for each in await self._look(runs) if each.state and each.state.is_final()]
            for each in over:
                end = await self._end(runs.pop(each.id), each)
                self._board.report(end)
                ends.append(end)
        return ends

    async def check(self) -> None:
        """Check that the deployment is there and takes the parameters of this version. Raises as `run`."""
        from prefect import get_client
        from prefect.exceptions import ObjectNotFound

        named = self._migrating.options.deployment
        async with get_client() as client:
            try:
                found = await client.read_deployment_by_name(named)
            except ObjectNotFound:
                raise NotFoundError(f"no deployment {named}: register it with kubeferry deploy") from None
        if is_earlier(found.parameter_openapi_schema):
            raise UsageError(f"deployment {named} is {OF_EARLIER}")

    async def start(self, namespace: str) -> UUID:
        """Start the flow run of one namespace."""
        from prefect.deployments import arun_deployment

        options = self._migrating.options
        asked = {"migration": self._migrating.name, "namespace": namespace, "context": options.to_context}
        # Never empty: the deployment, or its worker, may have another one.
        asked["store"] = options.store or self._migrating.backup.store.url
        run = await arun_deployment(
            options.deployment, parameters=asked, flow_run_name=f"migrate {namespace}", timeout=0
        )
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
                # Without limit and sort, which are optional, the client sends null, which the server rejects (3.8.8).
                found += await client.read_flow_runs(flow_run_filter=some, limit=AT_ONCE, sort=FlowRunSort.ID_DESC)
        return found

    async def _end(self, namespace: str, run: FlowRun) -> End:
        migrating, state = self._migrating, run.state
        end = await in_thread(read_end, migrating.backup.store, migrating.name, namespace)
        if end is not None:
            return end
        name, why = (state.name, state.message or "") if state else ("", "")
        error = f"its flow run {run.name} ended as {name}" + (f": {why}" if why else "")
        return End(namespace=namespace, into=migrating.source.namespaces[namespace], phase=Phase.FAILED, error=error)


@step("start flow runs on {dispatch._migrating.options.deployment}")
async def submit(dispatch: Dispatch, namespaces: list[str]) -> dict[UUID, str]:
    """Start the flow runs of namespaces and return them.

    Raises:
        NotFoundError: the deployment is not registered.
        UsageError: it was registered by an earlier version.
    """
    await dispatch.check()
    return {await dispatch.start(namespace): namespace for namespace in namespaces}
