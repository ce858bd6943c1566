"""Runs of a schedule that nobody has started in time, as Prefect knows them: found, and taken off the list."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled

from kubeferry.tasks.ports.local import clock

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

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
