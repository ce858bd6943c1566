"""`kubeferry worker`: Prefect's own worker, in the environment in which Kubeferry's flows run."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeferry.flows.options.common import Debug  # noqa: TC001 - Typer reads the annotations when the program runs
from kubeferry.tasks.core.models.options_deploy import POOLS, PoolType

EPILOG = """\
[bold]Examples[/bold]

kubeferry worker

kubeferry worker --pool kubeferry --limit 4
"""

Type = Annotated[
    PoolType, typer.Option("--type", help="How to run flows: as processes, or as Jobs (with the extra kubernetes).")
]
Pool = Annotated[
    str, typer.Option(metavar="NAME", show_default=False, help="Name of the work pool; else as of kubeferry deploy.")
]
Limit = Annotated[int, typer.Option(min=1, help="How many flow runs may be under way at once.")]


def worker(
    type_: Type = PoolType.PROCESS,
    pool: Pool = "",
    limit: Limit = 4,
    debug: Debug = False,  # noqa: ARG001, FBT002 - an option, whose callback has taken it
) -> None:
    """Run what is scheduled, and what is started from Prefect's UI, until Ctrl-C.

    It is `prefect worker start` with the Prefect server that Kubeferry uses. Flow runs have this
    command's environment: credentials of the store, kubeconfig.
    """
    import os
    import signal
    import sys

    from kubeferry.flows.console.run import prepare
    from kubeferry.flows.console.terminal import told

    with told():
        prepare()
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "INFO"  # a worker is watched by its log
    argv = [sys.executable, "-m", "prefect", "worker", "start", "--type", type_, "--pool", pool or POOLS[type_]]
    sys.stdout.flush()
    # Prefect ends at SIGTERM by sending itself SIGINT, which shells have ignored for what they start with `&`.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(sys.executable, [*argv, "--limit", str(limit)])  # noqa: S606 - no shell; this very program's Python
