"""`kubeferry demo`: start the sandbox, run the demo on it, print what it found."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import typer

from kubeferry.flows.options.common import Format
from kubeferry.flows.options.from_model import takes

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from kubeferry.flows.demo import Demonstration

EPILOG = """\
Examples:
  kubeferry demo
  kubeferry demo -o json
"""

OTHERS = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
"""Variables that would redirect requests from the sandbox's S3 server to another one."""


@takes("demo", "output debug")
def demo(*, output: Format) -> None:
    """Back up a sample shop and restore it twice, on a sandbox of this machine, and show that nothing was lost.

    Touches no other cluster and no other store.
    The first run builds the sandbox, which takes some minutes; later runs take half a minute.
    """
    from kubeferry.flows.commands.sandbox import opened
    from kubeferry.flows.console.demo_table import document, ok, tables
    from kubeferry.flows.console.output import print_document
    from kubeferry.flows.console.run import run
    from kubeferry.tasks.core.models.options import Place

    with opened() as sandbox:
        sandbox.up(2)
    environment = sandbox.env()
    enter(environment)
    where = Place(context="kubeferry-a", kubeconfig=str(sandbox.kubeconfig), store=environment["KUBEFERRY_STORE"])

    def start() -> Coroutine[Any, Any, Demonstration]:
        from kubeferry.flows.demo import demo as whole_demo

        return whole_demo(where.kubeconfig, where.store)

    shown = run(start, where)
    if output is Format.TABLE:
        tables(shown, ui())
    else:
        print_document(document(shown), output)
    raise typer.Exit(0 if ok(shown) else 1)


def ui() -> str:
    """Return the URL of the runs in the UI of their Prefect server."""
    from kubeferry.tasks.ports.prefect.api import shown

    return shown(os.environ["PREFECT_API_URL"]).removesuffix("/api") + "/runs"


def enter(environment: Mapping[str, str]) -> None:
    """Set the credentials of the sandbox's S3 server in this process; clusters and store are named in all options."""
    for name in OTHERS:
        os.environ.pop(name, None)
    os.environ.update({name: value for name, value in environment.items() if name.startswith("AWS_")})
