"""The decorator of steps: a step is a Prefect task with one retry policy, whose work runs in a thread.

A step that fails with a TransientError, after the short retries of the HTTP and S3 ports, is retried as a whole. Steps
take names and folders, never clients or contents of objects: Prefect stores parameters and results. Importing Prefect
takes a second, so it is imported when a step first runs: an offline plan calls the functions behind the steps.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from kubeferry.tasks.core.errors import ExpiredError, TransientError
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.workdir import disk_errors_named

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

BACKOFF = 2.0
"""Seconds before a failed step is retried; doubled for each further retry."""

RETRIES = 3

_joined: ContextVar[bool] = ContextVar("joined", default=False)


async def transient(_task: Any, _run: Any, state: Any) -> bool:
    """Return whether to retry a failed step; a coroutine, because the result of a state is awaited in async tasks."""
    error = await state.aresult(raise_on_failure=False)
    # A compacted revision stays unavailable: the flow starts again with a new one.
    again = isinstance(error, TransientError) and not isinstance(error, ExpiredError)
    if again:
        progress.note(f"{error}: trying again")
    return again


def step(run_name: str) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """Turn an async function into a step; `run_name` is its name in the UI, with parameters in braces."""

    def wrap(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        as_task = cache(lambda backoff: _task(function, run_name, backoff))

        @wraps(function)
        async def run(*args: P.args, **kwargs: P.kwargs) -> R:
            if _joined.get():
                return await _again(function, *args, **kwargs)
            given = {name: _closed(value) for name, value in kwargs.items()}
            answer: R = await as_task(BACKOFF)(*map(_closed, args), **given)
            return answer

        return run

    return wrap


def _closed(value: Any) -> Any:
    """Return an argument marked opaque if it is more than a text or a number: it contains no result of another step.

    Prefect searches arguments for results twice, value by value: seconds for the list of 5,000 objects of a level.
    """
    from prefect.utilities.annotations import opaque

    if isinstance(value, list) and not isinstance(next(iter(value), None), tuple):  # a Ref
        return [_closed(each) for each in value]  # results of steps: the picture of the run has a line from each
    return value if value is None or isinstance(value, (str, int, float)) else opaque(value)


async def _again(function: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a step inside another one, with the same retries as a separate step."""
    for attempt in range(RETRIES):
        try:
            return await function(*args, **kwargs)
        except ExpiredError:
            raise
        except TransientError as error:
            progress.note(f"{error}: trying again")
            from asyncio import sleep

            await sleep(BACKOFF * 2**attempt)
    return await function(*args, **kwargs)


async def joined(work: Callable[[], Awaitable[R]]) -> R:
    """Run the steps in `work` with no task runs, as part of the run around them.

    A task run takes 33 ms of CPU of Prefect, most of it its server's (tests/bench/bench_prefect.py): in a small
    namespace that is longer than the work.
    """
    token = _joined.set(True)
    try:
        return await work()
    finally:
        _joined.reset(token)


async def as_one(what: str, work: Callable[[], Awaitable[R]]) -> R:
    """Run the steps in `work` as one task run."""
    answer: R = await _steps()(what, work)
    return answer


@cache
def _steps() -> Any:
    """Return the task of `as_one`, created once: Prefect reads the source code of each new task."""
    from prefect import task
    from prefect.cache_policies import NO_CACHE

    async def steps(what: str, work: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ARG001 - the run's name has it
        return await joined(work)

    decorate: Any = task(task_run_name="{what}", cache_policy=NO_CACHE, persist_result=False)
    return decorate(steps)


def _task(function: Callable[..., Awaitable[Any]], run_name: str, backoff: float) -> Any:
    from prefect import task
    from prefect.cache_policies import NO_CACHE
    from prefect.tasks import exponential_backoff

    decorate: Any = task(
        task_run_name=run_name,
        retries=RETRIES,
        retry_delay_seconds=exponential_backoff(backoff_factor=backoff),
        retry_condition_fn=transient,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    return decorate(function)


async def in_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run blocking work in a thread, so that steps of other namespaces continue.

    Raises:
        DiskError: the disk of the spool is full, read-only or broken; a restore is rolled back as for other failures.
    """
    from asyncio import to_thread

    with disk_errors_named():
        return await to_thread(work, *args, **kwargs)


async def side_by_side(work: Callable[[T], Awaitable[R]], items: Iterable[T], limit: int = 4) -> list[R]:
    """Return the results of `work` on each item, in order, with at most `limit` running concurrently.

    All end before the first error is raised: a cancelled step would look crashed in the UI.
    """
    from asyncio import Semaphore, gather

    room = Semaphore(limit)

    async def one(item: T) -> R:
        async with room:
            return await work(item)

    ended = await gather(*(one(item) for item in items), return_exceptions=True)
    results: list[R] = []
    for each in ended:
        if isinstance(each, BaseException):
            raise each
        results.append(each)
    return results


def log(text: str, *, noted: bool = False) -> None:
    """Write one line to the terminal, unless it is `noted` there already, and to the run's log in the UI."""
    from prefect import get_run_logger

    if not (noted or _joined.get()):  # one of many concurrent namespaces: its lines would clutter the terminal
        progress.note(text)
    get_run_logger().info(text)
