"""Runs of a schedule that nobody has started in time, as Prefect knows them: found, and taken off the list.

Take turns by a global concurrency limit of Prefect, which is made when it is not there.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.concurrency.asyncio import concurrency
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.states import Cancelled

from kubeferry.tasks.ports.local import clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import GlobalConcurrencyLimitResponse


WAITING = ("Scheduled", "Late")
"""Names of the states of a run that nobody has started; the others of that type are retries and pauses."""

PAGE = 200
"""Runs that Prefect's server gives at once."""


async def take_over() -> int:
    """Cancel the runs of this run's schedule that are due and not started, and return how many there were.

    Nothing happens in a run that no schedule has made.
    """
    context = FlowRunContext.get()
    own = context.flow_run if context else None
    if own is None or not own.auto_scheduled or own.deployment_id is None:
        return 0
    taken = 0
    async with get_client() as client:
        # The server takes neither of the client's own defaults for the last two.
        ask = partial(client.read_flow_runs, flow_run_filter=_due(own), sort=FlowRunSort.ID_DESC, limit=PAGE)
        while runs := [each for each in await ask() if _waits(each)]:
            for each in runs:
                why = f"missed: flow run {own.name} does what it was to do"
                with suppress(ObjectNotFound):  # a schedule that is changed takes its runs along
                    await client.set_flow_run_state(each.id, Cancelled(name="Skipped", message=why), force=True)
            taken += len(runs)
    return taken


def _waits(run: FlowRun) -> bool:
    return run.auto_scheduled and run.state is not None and run.state.name in WAITING


def _due(own: FlowRun) -> FlowRunFilter:
    return FlowRunFilter.model_validate(
        {
            "id": {"not_any_": [own.id]},
            "deployment_id": {"any_": [own.deployment_id]},
            "state": {"type": {"any_": [StateType.SCHEDULED]}},
            "expected_start_time": {"before_": clock.now()},
        }
    )


LEASE = 60
"""Seconds after which the turn of a process that died is over (Prefect renews it meanwhile)."""


def deployed() -> bool:
    """Return whether this flow run is one of a deployment: started in the UI, by a schedule, or through the API."""
    context = FlowRunContext.get()
    return bool(context and context.flow_run and context.flow_run.deployment_id)


@asynccontextmanager
async def concurrency_slot(name: str, waits: Callable[[], None]) -> AsyncIterator[None]:
    """Hold a slot of the limit `name`; `waits` is called when there is none at first.

    A limit that somebody has raised stays so. That its lease cannot be renewed ends nothing: what is worked on has
    leases of its own.
    """
    async with get_client() as client:
        limit = await _ensure(client, name)
    if limit.active_slots >= limit.limit:
        waits()
    # Without `strict` a limit that is missing would be passed over.
    async with concurrency(name, strict=True, lease_duration=LEASE, raise_on_lease_renewal_failure=False):
        yield


async def _ensure(client: PrefectClient, name: str) -> GlobalConcurrencyLimitResponse:
    try:
        return await client.read_global_concurrency_limit_by_name(name)
    except ObjectNotFound:
        with suppress(ObjectAlreadyExists):  # somebody was faster
            await client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=1))
        return await client.read_global_concurrency_limit_by_name(name)
