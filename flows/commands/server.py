"""`kubeferry server`: the local Prefect server, which keeps the history of all runs and shows it in its UI.

`kubeferry worker`: Prefect's own worker, in the environment that Kubeferry's flows need.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from kubeferry.flows.console.output import print_object
from kubeferry.flows.console.terminal import showing_progress
from kubeferry.flows.options.from_model import takes
from kubeferry.flows.options.help import App
from kubeferry.tasks.core.models.pools import POOLS, PoolType

if TYPE_CHECKING:
    from kubeferry.flows.options.common import Format
    from kubeferry.tasks.ports.prefect.server import Status


app = App(
    no_args_is_help=True,
    help="The local Prefect server: it keeps the history of all runs and shows it in a browser.",
    epilog="Commands start it when they need it, and it stays up. It is not used if PREFECT_API_URL names a server.",
)

START = "Examples:\n  kubeferry server start\n  kubeferry server start -o json"
STOP = "Examples:\n  kubeferry server stop"
LOGIN = "Examples:\n  kubeferry server password"
STATUS = "Examples:\n  kubeferry server status\n  kubeferry server status -o json"


@app.command(epilog=START)
@takes("server start", "output debug")
def start(*, output: Format) -> None:
    """Start the server if it is not up, and print the address of its UI."""
    from kubeferry.tasks.ports.prefect import server as prefect_server

    with showing_progress():
        prefect_server.start()
    _print(prefect_server.status(), output)


@app.command(epilog=STOP)
@takes("server stop", "output debug")
def stop(*, output: Format) -> None:
    """Stop the server; its history is kept for the next start. Runs in progress lose their server."""
    from kubeferry.tasks.ports.prefect import server as prefect_server

    with showing_progress():
        prefect_server.stop()
    _print(prefect_server.status(), output)


@app.command(epilog=STATUS)
@takes("server status", "output debug")
def status(*, output: Format) -> None:
    """Show whether the server is up, its UI, its API, its database and its log. Exits 1 if it is not up."""
    from kubeferry.tasks.ports.prefect import server as prefect_server

    found = prefect_server.status()
    _print(found, output)
    if found.state != prefect_server.RUNNING:
        raise typer.Exit(1)


@app.command(epilog=LOGIN)
@takes("server password", "debug")
def password() -> None:
    """Print the password, for which the UI asks once in each browser. Whoever has it may run any program as you."""
    from kubeferry.flows.console.output import line
    from kubeferry.tasks.ports.prefect import server as prefect_server

    line(prefect_server.password())


def _print(found: Status, output: Format) -> None:
    print_object(asdict(found), output)


EPILOG = """\
Examples:
  kubeferry worker
  kubeferry worker --pool kubeferry --limit 4
"""


@takes("worker", "type_ pool limit debug")
def worker(*, type_: PoolType, pool: str, limit: int) -> None:
    """Run what is scheduled, and what is started from Prefect's UI, until Ctrl-C.

    It is `prefect worker start` with the Prefect server that Kubeferry uses.
    Flow runs inherit this command's environment: credentials of the store, kubeconfig.
    """
    import os
    import signal
    import sys

    from kubeferry.flows.console.run import prepare
    from kubeferry.flows.console.terminal import showing_progress
    from kubeferry.tasks.ports.prefect import api as prefect_api

    with showing_progress():
        prepare()
        # The health check asks for no password, and Prefect's worker reports a wrong one by a traceback.
        prefect_api.ask(os.environ["PREFECT_API_URL"], "/work_pools/filter", {"limit": 1})
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "INFO"  # a worker is watched by its log
    os.environ.setdefault("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "30")  # by which a dead run is found (automations.yaml)
    argv = [sys.executable, "-m", "prefect", "worker", "start", "--type", type_, "--pool", pool or POOLS[type_]]
    sys.stdout.flush()
    # At SIGTERM, Prefect sends itself SIGINT, which shells make background jobs (`&`) ignore.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(sys.executable, [*argv, "--limit", str(limit)])  # noqa: S606 - no shell; this very program's Python
