"""`kubeferry undo`: ask, start the flow, print its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from kubeferry.flows.options import completion as completing
from kubeferry.flows.options.common import (
    Context,
    Debug,
    ForceFinalizers,
    Format,
    Identity,
    Kubeconfig,
    Output,
    StoreUrl,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kubeferry.tasks.core.models.results import UndoResult

EPILOG = """\
[bold]Examples[/bold]

kubeferry list --restores

kubeferry undo before-upgrade-restore-20260102-030405

kubeferry undo nightly-restore-20260102-030405 --force-finalizers -o json
"""

Restore = Annotated[
    str,
    typer.Argument(
        metavar="RESTORE", help="Name of the restore.", show_default=False, autocompletion=completing.restores
    ),
]

WaitSeconds = Annotated[
    int,
    typer.Option(
        min=1, max=86400, metavar="SECONDS", help="Longest time for one level to go; namespaces get four times that."
    ),
]


def undo(  # noqa: PLR0913 - a parameter is an option
    restore: Restore,
    *,
    force_finalizers: ForceFinalizers = False,
    wait_seconds: WaitSeconds = 60,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    store: StoreUrl = "",
    identity: Identity = None,
    output: Output = Format.TABLE,
    debug: Debug = False,  # noqa: ARG001 - its callback has taken it
) -> None:
    """Take a restore back: delete what it created, give what it changed its former content, in reverse order.

    Works for one that is complete, failed or was killed. What has another uid by now is not touched. Without --context
    it goes to the context that the restore was made with, and only if that is still the same cluster.
    """
    from kubeferry.flows.console.results import finish
    from kubeferry.flows.console.run import run
    from kubeferry.flows.options.parsing import options
    from kubeferry.tasks.core.models.options import UndoOptions

    asked = options(
        UndoOptions,
        restore=restore,
        force_finalizers=force_finalizers,
        wait_seconds=wait_seconds,
        context=context,
        kubeconfig=kubeconfig,
        store=store,
        identities=list(map(str, identity or [])),
    )

    def start() -> Coroutine[Any, Any, UndoResult]:
        from kubeferry.flows.undo import undo as flow

        return flow(asked)

    finish(run(start, asked, reach=bool(context)), asked, output)
