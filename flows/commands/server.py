"""`kubeferry server`: the local Prefect server, which keeps the history of all runs and shows it in its UI."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from kubeferry.flows.console.output import print_object
from kubeferry.flows.console.terminal import told
from kubeferry.flows.options.common import Debug, Format, Output

if TYPE_CHECKING:
    from kubeferry.tasks.ports.prefect.server import Status

app = typer.Typer(
    no_args_is_help=True,
    help="The local Prefect server: it keeps the history of all runs and shows it in a browser.",
    epilog="Not used when PREFECT_API_URL names another server. Commands start it on their own, and it stays up.",
)

START = "[bold]Examples[/bold]: kubeferry server start; kubeferry server start -o json"
STOP = "[bold]Examples[/bold]: kubeferry server stop"
STATUS = "[bold]Examples[/bold]: kubeferry server status; kubeferry server status -o json"


@app.command(epilog=START)
def start(*, output: Output = Format.TABLE, debug: Debug = False) -> None:  # noqa: ARG001 - its callback reads it
    """Start the server if it is not up, and print where its UI is."""
    from kubeferry.tasks.ports.prefect import server as prefect_server

    with told():
        prefect_server.start()
    _print(prefect_server.status(), output)


@app.command(epilog=STOP)
def stop(*, output: Output = Format.TABLE, debug: Debug = False) -> None:  # noqa: ARG001 - its callback reads it
    """Stop the server; its history is kept for the next start. Runs that go on now lose their server."""
    from kubeferry.tasks.ports.prefect import server as prefect_server

    with told():
        prefect_server.stop()
    _print(prefect_server.status(), output)


@app.command(epilog=STATUS)
def status(*, output: Output = Format.TABLE, debug: Debug = False) -> None:  # noqa: ARG001 - its callback reads it
    """Show whether the server is up, its UI, its API, its database and its log. Exits 1 when it is not up."""
    from kubeferry.tasks.ports.prefect import server as prefect_server

    found = prefect_server.status()
    _print(found, output)
    if found.state != prefect_server.RUNNING:
        raise typer.Exit(1)


def _print(found: Status, output: Format) -> None:
    print_object(asdict(found), output)
