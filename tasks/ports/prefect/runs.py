"""Flow runs in Prefect: skip the late runs of a schedule, and hold a slot of a global concurrency limit.

A limit that does not exist is created.
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
"""Names of the states of a run that has not started; the others of type SCHEDULED are retries and pauses."""

PAGE = 200
"""Most runs in one answer of Prefect's server."""


async def take_over() -> int:
    """Cancel the late runs of this run's deployment, and return their number.

    Do nothing in a run that was not created by a schedule.
    """
    context = FlowRunContext.get()
    own = context.flow_run if context else None
    if own is None or not own.auto_scheduled or own.deployment_id is None:
        return 0
    taken = 0
    async with get_client() as client:
        # The server accepts neither of the client's own defaults for the last two.
        ask = partial(client.read_flow_runs, flow_run_filter=_due(own), sort=FlowRunSort.ID_DESC, limit=PAGE)
        while runs := [each for each in await ask() if _waits(each)]:
            for each in runs:
                why = f"late: flow run {own.name} of the same schedule replaces it"
                with suppress(ObjectNotFound):  # a changed schedule deletes its runs
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
"""Seconds after which the slot of a dead process is free (Prefect renews the lease of a live one)."""


def deployed() -> bool:
    """Return whether this flow run belongs to a deployment: started in the UI, by a schedule, or through the API."""
    context = FlowRunContext.get()
    return bool(context and context.flow_run and context.flow_run.deployment_id)


async def deployment_name() -> str:
    """Return the name of the deployment of this flow run, "" for a run without one, or of one that is gone."""
    context = FlowRunContext.get()
    own = context.flow_run.deployment_id if context and context.flow_run else None
    if own is None:
        return ""
    async with get_client() as client:
        try:
            return (await client.read_deployment(own)).name
        except ObjectNotFound:
            return ""


@asynccontextmanager
async def concurrency_slot(name: str, waits: Callable[[], None]) -> AsyncIterator[None]:
    """Hold a slot of the limit `name`; `waits` is called if none is free at first.

    A limit that a user has raised is not changed. A lease that cannot be renewed does not end the run: the namespaces
    have Leases of their own.
    """
    async with get_client() as client:
        limit = await _ensure(client, name)
    if limit.active_slots >= limit.limit:
        waits()
    # Without `strict`, Prefect ignores a missing limit.
    async with concurrency(name, strict=True, lease_duration=LEASE, raise_on_lease_renewal_failure=False):
        yield


async def _ensure(client: PrefectClient, name: str) -> GlobalConcurrencyLimitResponse:
    try:
        return await client.read_global_concurrency_limit_by_name(name)
    except ObjectNotFound:
        with suppress(ObjectAlreadyExists):  # another process was faster
            await client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=1))
        return await client.read_global_concurrency_limit_by_name(name)
