"""Start a flow from a command: the local Prefect server first, then Prefect with its environment, then the flow.

Prefect reads its settings when it is imported, so nothing here or above may import it before. It costs a second, which
is why only the commands that run a flow do.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from kubeferry.flows.console.terminal import told
from kubeferry.flows.options.common import debugging
from kubeferry.tasks.core.errors import KubeferryError, UnreachableError
from kubeferry.tasks.ports.local.gc import loading
from kubeferry.tasks.ports.prefect import api as prefect_api

try:
    import uvloop
except ImportError:
    uvloop = None  # type: ignore[assignment] # of which a module is no type

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from pydantic import BaseModel

    from kubeferry.flows.options.common import Format
    from kubeferry.tasks.core.models.options import Where

A = TypeVar("A", bound="BaseModel")
R = TypeVar("R")

WAYS = (
    "what was done by then is in the store: see kubeferry list and kubeferry show NAME; "
    "kubeferry restore --resume NAME goes on with a restore, kubeferry undo NAME takes it back"
)


def run_and_finish(
    flow: str,
    asked: A,
    output: Format,
    finish: Callable[[Any, A, Format], NoReturn],
    *,
    at: Where,
    reach: bool = True,
) -> NoReturn:
    """Run a flow, print what it answers, and exit with the code of its phase; what it raises is raised.

    A restore that failed tells what it had done, and what became of that, before its error is told.

    Args:
        flow: its name, which is that of its module, too.
        asked: what it is asked for.
        output: how its result is printed.
        finish: prints its result, and exits.
        at: where to, as for `run`.
        reach: as for `run`.
    """

    def start() -> Coroutine[Any, Any, Any]:
        found: Coroutine[Any, Any, Any] = getattr(import_module(f"kubeferry.flows.{flow}"), flow)(asked)
        return found

    try:
        result = run(start, at, reach=reach)
    except KubeferryError as error:
        _failed(error, output)
        raise
    finish(result, asked, output)


def _failed(error: KubeferryError, output: Format) -> None:
    from kubeferry.flows.console.results import failed
    from kubeferry.tasks.core.models.results import RestoreResult

    if isinstance(error.result, RestoreResult):
        failed(error.result, output)


def run(start: Callable[[], Coroutine[Any, Any, R]], asked: Where, *, reach: bool = True) -> R:
    """Return what a flow answers; what it raises is raised.

    Args:
        start: imports the flow and calls it. It is called when the server is up and the environment is set.
        asked: where to; a cluster that does not answer at all is told now, since a flow would try for a while.
        reach: whether the cluster is the one that `asked` names; else the flow finds out which it is.
    """
    with told():
        _reach(asked, cluster=reach)
        prepare()
        return in_loop(_inside(start))


def in_loop(work: Coroutine[Any, Any, R]) -> R:
    """Return what `work` returns, as asyncio.run does; in the faster loop where there is one (not on Windows)."""
    factory = uvloop.new_event_loop if uvloop else None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work)


async def _inside(start: Callable[[], Coroutine[Any, Any, R]]) -> R:
    """Start within the loop, which turns Ctrl-C into an orderly end; it could hit Prefect's import anywhere.

    Raises:
        UnreachableError: the Prefect API went away meanwhile, for longer than its client tries (a minute). Nothing
            else here speaks through httpx.
    """
    with loading():
        from httpx import HTTPError

        from kubeferry.tasks.ports.prefect import events as prefect_events

        work = start()
    url = os.environ["PREFECT_API_URL"]
    prefect_events.use()
    try:
        return await work
    except HTTPError as error:
        cause = str(error).partition("\n")[0]
        raise UnreachableError(
            f"the Prefect API at {prefect_api.shown(url)} answers no more: {cause}; {WAYS}"
        ) from error
    finally:
        if sys.exception() and _away(url):
            prefect_events.give_up()


def _away(url: str) -> bool:
    """Return whether Prefect's API does not answer; one that does, even that it cannot serve now, is there."""
    try:
        prefect_api.check(url)
    except UnreachableError:
        return True
    except KubeferryError:
        return False
    return False


def _reach(asked: Where, *, cluster: bool) -> None:
    from kubeferry.tasks.core.models.options import Place
    from kubeferry.tasks.ports.cluster.client import connect
    from kubeferry.tasks.ports.store.open import open_store

    if isinstance(asked, Place):
        open_store(asked.store)  # asks nothing yet, but refuses a URL that is none
    if cluster:
        found = connect(asked.context or None, asked.kubeconfig or None)
        found.request("GET", "/version", subject=f"cluster {found.name} ({found.host})")


def prepare() -> None:
    """Have a Prefect API, the local one if need be, and set the environment that its client is imported with."""
    from kubeferry.tasks.ports.prefect import server as prefect_server

    # Prefect's log handler writes what it cannot send, each time, in the middle of other lines.
    logging.raiseExceptions = debugging()
    url = prefect_server.ensure()
    os.environ.update(prefect_server.environment(url, debug=debugging()))
