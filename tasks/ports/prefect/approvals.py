"""Approval of a restore through Prefect: pause its flow run with a form, and answer it from any machine.

`ask` pauses the flow run until the form is answered, the run is cancelled, or the timeout is over; its process keeps
running and polls the Prefect API. It tags the run with the restore's name, by which `answer` finds it, and with the
decision, which confirms to `answer` that the process has received it. Prefect must be imported with its environment set
(`server.environment`).
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
"""Seconds between two polls for an answer."""

SOON = 0.2
"""Seconds between two polls for the start of the pause."""

TAG = "restore:"
"""Prefix of the tag that names the restore."""

Decision = Literal["approve", "refuse"]

TAKEN: dict[Decision, str] = {"approve": "approved", "refuse": "refused"}
"""Decision → the tag by which the process confirms it."""


class Answer(RunInput):
    """The form in Prefect's UI. The decision has no default: a run that is resumed without a form is not approved."""

    decision: Decision = Field(title="Decision", description="approve continues the restore, refuse ends it.")
    reason: str = Field(default="", title="Reason", description="Shown at the terminal when it is refused.")
    by: str = Field(default="", title="By", description="Who decides; Prefect's own server knows no users.")


def run_url() -> str:
    """Return the URL of this flow run in Prefect's UI; its id if the URL of the UI is not known."""
    return url_for("flow-run", obj_id=runtime.flow_run.id) or f"flow run {runtime.flow_run.id}"


async def ask(restore: str, about: str, seconds: int, waits: Callable[[], None]) -> Answer:
    """Pause this flow run and return the answer.

    Args:
        restore: name of the restore.
        about: Markdown above the form.
        seconds: timeout.
        waits: called as soon as it can be answered.

    Raises:
        NotApprovedError: there was no answer in time, the run was cancelled, or it was resumed without the form.
        PermanentError: Prefect does not allow this run to pause.
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
    # Prefect skips a pause whose key was used before: a run that is retried must ask again.
    form = Answer.with_initial_data(description=about)
    answer: Answer | None = await apause_flow_run(form, timeout=seconds, poll_interval=POLL, key=uuid4().hex)
    if answer is None:
        raise RuntimeError("Prefect skipped the pause")
    return answer


async def _end(run: UUID, restore: str, seconds: int, waits: Callable[[], None]) -> Answer:
    """Raise as soon as the run is neither paused nor running, which Prefect's own pause does not check."""
    notified = False
    async with get_client() as client:
        while True:
            await asyncio.sleep(POLL if notified else SOON)
            state = (await client.read_flow_run(run)).state
            if state and state.is_paused() and not notified:
                waits()
                notified = True
            if state is None or state.is_paused() or state.is_running():
                continue
            if state.is_failed():  # set by the server at the timeout
                raise _late(restore, seconds)
            if state.is_cancelling():
                # Without a worker nothing else completes the cancellation, and the state then rejects Failed.
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
        message = f"the Prefect API does not answer while restore {restore} waits for approval: {type(error).__name__}"
        raise UnreachableError(message) from error
    except RuntimeError as error:
        raise PermanentError(f"restore {restore} cannot wait for approval: {error}") from error


def _late(restore: str, seconds: int) -> NotApprovedError:
    return NotApprovedError(f"restore {restore} was not approved within {seconds} s")


TAKEN_SECONDS = 30
"""Seconds in which the waiting process has to receive the answer: it polls every POLL seconds."""

FORM_SECONDS = 10
"""Seconds in which a paused run has to save its form."""

RUNS = 100
"""Most runs of one restore name that are read."""

NO_FORM = "Run input schema not found."
"""Answer of Prefect 3.8 before the form is saved (server/api/flow_runs.py)."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A restore that was approved or refused."""

    restore: str
    decision: str
    run: str
    """URL of its flow run in Prefect's UI."""


async def answer(named: str, decision: Decision, reason: str) -> Answered:
    """Approve or refuse a restore, by its name or the id of its flow run; return when its process has confirmed.

    Raises:
        UsageError: no such restore waits, or more than one of this name.
        NotApprovedError: its timeout is over, or its process did not confirm: it was killed while it waited.
        UnreachableError: the Prefect API does not answer, or not as expected.
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
        raise UsageError(f"more than one restore {named} waits: name the flow run, {' or '.join(map(_shown, paused))}")
    if runs:
        raise UsageError(f"restore {named} does not wait for approval: {_shown(runs[0])} is {runs[0].state_name}")
    raise UsageError(f"no restore {named} waits for approval at {shown(str(client.api_url))}")


async def _runs(client: PrefectClient, named: str) -> list[FlowRun]:
    """Return the runs that have waited under a restore name, newest first, or the run with this id."""
    try:
        run = await client.read_flow_run(UUID(named))
    except ValueError:
        tagged = FlowRunFilter(tags=FlowRunFilterTags(all_=[f"{TAG}{named}"]))
        # Sort and limit are set because Prefect 3.8's server rejects the null that its client sends otherwise.
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
    """Return the local user and host, for the form."""
    try:
        return f"{getpass.getuser()} on {socket.gethostname()}"
    except (KeyError, OSError):  # a uid without a name, as containers have
        return f"uid {os.getuid()} on {socket.gethostname()}"


def _restore(run: FlowRun) -> str:
    return next((tag.removeprefix(TAG) for tag in run.tags if tag.startswith(TAG)), "")


def _shown(run: FlowRun) -> str:
    return f"{run.id} ({_url(run)})"


def _url(run: FlowRun) -> str:
    return url_for(run) or f"flow run {run.id}"
