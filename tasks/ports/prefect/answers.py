"""Answer a restore that waits for approval, from any machine that reaches the Prefect API; the other side of approvals.

Prefect is imported with its environment set (`prefect_env.environment`).
"""

from __future__ import annotations

import asyncio
import getpass
import os
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from httpx import HTTPError
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.utilities.urls import url_for

from kubeferry.tasks.core.errors import NotApprovedError, UnreachableError, UsageError
from kubeferry.tasks.ports.prefect.api import shown
from kubeferry.tasks.ports.prefect.approvals import TAG, TAKEN

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas import FlowRun

    from kubeferry.tasks.ports.prefect.approvals import Decision

TAKEN_SECONDS = 30
"""How long the waiting process may take to hear the answer: it asks every `approvals.POLL` seconds."""

FORM_SECONDS = 10
"""How long a run that is paused may take to save its form."""

RUNS = 100
"""How many runs under one name are looked at."""

NO_FORM = "Run input schema not found."
"""What Prefect 3.8 answers before it has (server/api/flow_runs.py)."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A restore that was approved or refused."""

    restore: str
    decision: str
    run: str
    """Where its flow run is in Prefect's UI."""


async def answer(named: str, decision: Decision, reason: str) -> Answered:
    """Approve or refuse a restore, by its name or the id of its flow run, and return when it has heard.

    Raises:
        UsageError: no such restore waits, or more than one of that name.
        NotApprovedError: its time is over, or its process did not hear: it was killed while it waited.
        UnreachableError: the Prefect API does not answer, or not as it should.
    """
    try:
        async with get_client() as client:
            run = await _waiting(client, named)
            await _resume(client, run, {"decision": decision, "reason": reason, "by": _me()})
            await _heard(client, run, TAKEN[decision])
    except HTTPError as error:
        raise UnreachableError(f"the Prefect API does not answer as it should: {type(error).__name__}") from error
    return Answered(_restore(run), TAKEN[decision], _url(run))


async def _heard(client: PrefectClient, run: FlowRun, tag: str) -> None:
    limit = time.monotonic() + TAKEN_SECONDS
    while tag not in (await client.read_flow_run(run.id)).tags:
        if time.monotonic() > limit:
            raise NotApprovedError(
                f"the process of restore {_restore(run)} did not take the answer within {TAKEN_SECONDS} s: it was "
                f"probably killed while it waited; see {_url(run)}"
            )
        await asyncio.sleep(0.5)


async def _waiting(client: PrefectClient, named: str) -> FlowRun:
    runs = await _runs(client, named)
    paused = [run for run in runs if run.state_type is StateType.PAUSED]
    if len(paused) == 1:
        return paused[0]
    if paused:
        raise UsageError(f"more than one restore {named} waits: name the flow run, {' or '.join(map(_told, paused))}")
    if runs:
        raise UsageError(f"restore {named} does not wait for approval: {_told(runs[0])} is {runs[0].state_name}")
    raise UsageError(f"no restore {named} waits for approval at {shown(str(client.api_url))}")


async def _runs(client: PrefectClient, named: str) -> list[FlowRun]:
    """Return the runs that have ever waited under a name, newest first, or the one with that id."""
    try:
        run = await client.read_flow_run(UUID(named))
    except ValueError:
        tagged = FlowRunFilter(tags=FlowRunFilterTags(all_=[f"{TAG}{named}"]))
        # Both are given since Prefect 3.8's server refuses the null that its client sends for neither.
        return await client.read_flow_runs(flow_run_filter=tagged, sort=FlowRunSort.START_TIME_DESC, limit=RUNS)
    except ObjectNotFound:
        return []
    return [run] if _restore(run) else []


async def _resume(client: PrefectClient, run: FlowRun, form: dict[str, str]) -> None:
    limit = time.monotonic() + FORM_SECONDS
    while True:
        answered = await client.resume_flow_run(run.id, run_input=form)
        if answered.status is SetStateStatus.ACCEPT:
            return
        why = str(getattr(answered.details, "reason", "")) or "no reason given"
        if why != NO_FORM or time.monotonic() > limit:
            raise NotApprovedError(f"restore {_restore(run)} cannot be answered any more: {why} See {_url(run)}")
        await asyncio.sleep(0.2)


def _me() -> str:
    """Return who answers, as far as this machine knows."""
    try:
        return f"{getpass.getuser()} on {socket.gethostname()}"
    except (KeyError, OSError):  # a uid without a name, as containers have
        return f"uid {os.getuid()} on {socket.gethostname()}"


def _restore(run: FlowRun) -> str:
    return next((tag.removeprefix(TAG) for tag in run.tags if tag.startswith(TAG)), "")


def _told(run: FlowRun) -> str:
    return f"{run.id} ({_url(run)})"


def _url(run: FlowRun) -> str:
    return url_for(run) or f"flow run {run.id}"
