"""`kubeferry worker`: Prefect's own worker, in the environment in which Kubeferry's flows run."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.commands.common import Debug  # noqa: TC001 - Typer reads the annotations when the program runs
from tasks.core.options_deploy import POOLS, PoolType

EPILOG = """\
[bold]Examples[/bold]

kubeferry worker

kubeferry worker --pool kubeferry --limit 4
"""

Pool = Annotated[str, typer.Option(metavar="NAME", help="Name of the work pool, as of kubeferry deploy.")]
Limit = Annotated[int, typer.Option(min=1, help="How many flow runs may be under way at once.")]


def worker(pool: Pool = POOLS[PoolType.PROCESS], limit: Limit = 4, debug: Debug = False) -> None:  # noqa: ARG001, FBT002 - an option, whose callback has taken it
    """Run what is scheduled, and what is started from Prefect's UI, as processes of this machine, until Ctrl-C.

    It is `prefect worker start --type process` with the Prefect server that Kubeferry uses. Flow runs have this
    command's environment: credentials of the store, kubeconfig.
    """
    import os
    import sys

    from flows.commands.run import prepare
    from flows.commands.terminal import told

    with told():
        prepare()
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "INFO"  # a worker is watched by its log
    argv = [sys.executable, "-m", "prefect", "worker", "start", "--type", "process", "--pool", pool]
    sys.stdout.flush()
    os.execv(sys.executable, [*argv, "--limit", str(limit)])  # noqa: S606 - no shell; this very program's Python
