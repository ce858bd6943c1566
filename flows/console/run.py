"""Start a flow from a command: the local Prefect server first, then Prefect with its environment, then the flow.

Prefect reads its settings when it is imported, so nothing here or above may import it earlier. The import takes a
second, so only commands that run a flow do it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from kubeferry.flows.console.terminal import showing_progress
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
    "kubeferry restore --resume NAME resumes a restore, kubeferry undo NAME undoes it"
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
    """Run a flow, print its result, and exit with the code of its phase; exceptions of the flow propagate.

    Of a failed restore, this prints what it had done and what was rolled back, before the error is printed.

    Args:
        flow: its name, which is also the name of its module.
        asked: its options.
        output: the format of its result.
        finish: prints its result, and exits.
        at: cluster and store, as for `run`.
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
    """Return the result of a flow; its exceptions propagate.

    Args:
        start: imports the flow and calls it. It is called when the server is up and the environment is set.
        asked: cluster and store; a cluster that does not answer is reported now, since a flow would retry for a while.
        reach: whether `asked` names the cluster; if not, the flow finds out which it is.
    """
    with showing_progress():
        _reach(asked, cluster=reach)
        prepare()
        return in_loop(_inside(start))


def in_loop(work: Coroutine[Any, Any, R]) -> R:
    """Return what `work` returns, as asyncio.run does; in the faster uvloop where it exists (not on Windows)."""
    factory = uvloop.new_event_loop if uvloop else None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work)


async def _inside(start: Callable[[], Coroutine[Any, Any, R]]) -> R:
    """Start within the loop, which turns Ctrl-C into an orderly end even while Prefect is being imported.

    Raises:
        UnreachableError: the Prefect API did not answer for longer than its client retries (a minute). Nothing else
            here uses httpx.
        CredentialsError: it refuses the credentials, which its health check does not ask for.
    """
    with loading():
        from httpx import HTTPError, HTTPStatusError

        from kubeferry.tasks.ports.prefect import events as prefect_events

        work = start()
    url = os.environ["PREFECT_API_URL"]
    prefect_events.use()
    try:
        return await work
    except HTTPStatusError as error:
        if error.response.status_code in prefect_api.FORBIDDEN:
            raise prefect_api.refused(prefect_api.shown(url), error.response.status_code) from error
        raise _lost(url, error) from error
    except HTTPError as error:
        raise _lost(url, error) from error
    finally:
        if sys.exception() and _away(url):
            prefect_events.give_up()


def _lost(url: str, error: Exception) -> UnreachableError:
    cause = str(error).partition("\n")[0]
    return UnreachableError(f"the Prefect API at {prefect_api.shown(url)} answers no more: {cause}; {WAYS}")


def _away(url: str) -> bool:
    """Return whether Prefect's API does not answer; an error is an answer, too."""
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
        open_store(asked.store)  # sends no request yet, but refuses an invalid URL
    if cluster:
        found = connect(asked.context or None, asked.kubeconfig or None)
        found.request("GET", "/version", subject=f"cluster {found.name} ({found.host})")


def prepare() -> None:
    """Make sure that there is a Prefect API, if need be the local one, and set the environment of its client."""
    from kubeferry.tasks.ports.prefect import server as prefect_server

    # Otherwise Prefect's log handler prints a traceback for each record that it cannot send.
    logging.raiseExceptions = debugging()
    url = prefect_server.ensure()
    os.environ.update(prefect_server.environment(url, debug=debugging()))
    _check_unread(url)


def _check_unread(url: str) -> None:
    """Refuse a Prefect that was imported before its environment was set.

    It would run flows on another server than `url`, such as an ephemeral one, which asks for no password.
    """
    read = sys.modules.get("prefect.settings")
    if read and read.get_current_settings().api.url != url:
        raise AssertionError("Prefect was imported before its server was known")
