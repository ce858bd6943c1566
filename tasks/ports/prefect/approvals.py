"""Ask a person through Prefect: pause the flow run with a form, until it is answered, cancelled or too late.

The process stays and asks the Prefect API every few seconds. The run is tagged with the restore's name, by which
`answers.py` finds it, and with what was decided, by which that sees that the process lives and has taken it.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal
from uuid import UUID, uuid4

from httpx import HTTPError
from prefect import runtime
from prefect.client.orchestration import get_client
from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import apause_flow_run
from prefect.input import RunInput
from prefect.states import Cancelled
from prefect.utilities.urls import url_for
from pydantic import Field, ValidationError

from kubeferry.tasks.core.errors import NotApprovedError, PermanentError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
