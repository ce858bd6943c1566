"""Take turns by a global concurrency limit of Prefect, which is made when it is not there."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.concurrency.asyncio import concurrency
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.responses import GlobalConcurrencyLimitResponse

LEASE = 60
"""Seconds after which the turn of a process that died is over (Prefect renews it meanwhile)."""


def deployed() -> bool:
    """Return whether this flow run is one of a deployment: started in the UI, by a schedule, or through the API."""
    context = FlowRunContext.get()
    return bool(context and context.flow_run and context.flow_run.deployment_id)


@asynccontextmanager
async def turn(name: str, waits: Callable[[], None]) -> AsyncIterator[None]:
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
