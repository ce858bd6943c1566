"""Ask a person through Prefect: pause the flow run with a form, until it is answered, cancelled or too late.

The process stays and asks the Prefect API every few seconds. The run is tagged with the restore's name, by which
`answers.py` finds it, and with what was decided, by which that sees that the process lives and has taken it.

Answer a restore that waits for approval, from any machine that reaches the Prefect API; the other side of approvals.

Prefect is imported with its environment set (`prefect_env.environment`).
"""

from __future__ import annotations

import asyncio
import getpass
import os
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from uuid import UUID, uuid4

from httpx import HTTPError
from prefect import runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import FlowPauseTimeout, ObjectNotFound
from prefect.flow_runs import apause_flow_run
from prefect.input import RunInput
from prefect.states import Cancelled
from prefect.utilities.urls import url_for
from pydantic import Field, ValidationError

from kubeferry.tasks.core.errors import NotApprovedError, PermanentError, UnreachableError, UsageError
from kubeferry.tasks.ports.prefect.api import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas import FlowRun


POLL = 2
"""Seconds between two looks at whether somebody has answered."""

SOON = 0.2
"""Seconds between two looks at whether the pause has begun."""

TAG = "restore:"
"""How the tag begins that names the restore."""

Decision = Literal["approve", "refuse"]

TAKEN: dict[Decision, str] = {"approve": "approved", "refuse": "refused"}
"""Decision → the tag that says that the process has taken it."""


class Answer(RunInput):
    """The form in Prefect's UI. What has no default must be chosen: a run that is just resumed is not approved."""

    decision: Decision = Field(title="Decision", description="approve lets the restore go on, refuse ends it.")
    reason: str = Field(default="", title="Reason", description="Told at the terminal when it is refused.")
    by: str = Field(default="", title="By", description="Who decides; Prefect's own server knows no users.")


def run_url() -> str:
    """Return where this flow run is in Prefect's UI; the id alone where that has no known address."""
    return url_for("flow-run", obj_id=runtime.flow_run.id) or f"flow run {runtime.flow_run.id}"


async def ask(restore: str, about: str, seconds: int, waits: Callable[[], None]) -> Answer:
    """Pause this flow run and return what a person answers.

    Args:
        restore: name of the restore.
        about: Markdown that stands above the form.
        seconds: how long to wait.
        waits: called as soon as it can be answered.

    Raises:
        NotApprovedError: nobody answered in time, the run was cancelled, or it was resumed without the form.
        PermanentError: Prefect does not let this run pause.
        UnreachableError: the Prefect API did not answer for a minute.
    """
    run = UUID(runtime.flow_run.id)
    with _translated(restore, seconds):
        await _tag(run, f"{TAG}{restore}")
        pause = asyncio.create_task(_pause(about, seconds))
        end = asyncio.create_task(_end(run, restore, seconds, waits))
        try:
            done, _ = await asyncio.wait((pause, end), return_when=asyncio.FIRST_COMPLETED)
            answer = await (pause if pause in done else end)
        finally:
            for each in (pause, end):
                each.cancel()
            await asyncio.gather(pause, end, return_exceptions=True)
        await _tag(run, TAKEN[answer.decision])
    return answer


async def _pause(about: str, seconds: int) -> Answer:
    # By a key that was used Prefect passes over the pause: a run that is started again must ask again.
    form = Answer.with_initial_data(description=about)
    answer: Answer | None = await apause_flow_run(form, timeout=seconds, poll_interval=POLL, key=uuid4().hex)
    if answer is None:
        raise RuntimeError("the pause was passed over")
    return answer


async def _end(run: UUID, restore: str, seconds: int, waits: Callable[[], None]) -> Answer:
    """Raise as soon as the run is neither paused nor running, which Prefect's own pause does not look at."""
    told = False
    async with get_client() as client:
        while True:
            await asyncio.sleep(POLL if told else SOON)
            state = (await client.read_flow_run(run)).state
            if state and state.is_paused() and not told:
                waits()
                told = True
            if state is None or state.is_paused() or state.is_running():
                continue
            if state.is_failed():  # by the server, when the time was over
                raise _late(restore, seconds)
            if state.is_cancelling():
                # Without a worker nobody else brings that to its end, and it does not take the Failed that comes next.
                await client.set_flow_run_state(run, Cancelled(), force=True)
            raise NotApprovedError(f"restore {restore} was not approved: its flow run was ended by hand ({state.name})")


async def _tag(run: UUID, tag: str) -> None:
    async with get_client() as client:
        tags = (await client.read_flow_run(run)).tags
        await client.update_flow_run(run, tags=[*tags, tag])


@contextmanager
def _translated(restore: str, seconds: int) -> Iterator[None]:
    try:
        yield
    except FlowPauseTimeout as error:
        raise _late(restore, seconds) from error
    except ValidationError as error:
        raise NotApprovedError(f"restore {restore} was not approved: its flow run was resumed without an answer") from (
            error
        )
    except HTTPError as error:
        told = f"the Prefect API does not answer while restore {restore} waits for approval: {type(error).__name__}"
        raise UnreachableError(told) from error
    except RuntimeError as error:
        raise PermanentError(f"restore {restore} cannot wait for approval: {error}") from error


def _late(restore: str, seconds: int) -> NotApprovedError:
    return NotApprovedError(f"restore {restore} was not approved within {seconds} s")


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
