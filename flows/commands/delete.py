"""`kubeferry delete`: show what would go, ask, start the flow, print its result."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import typer

from kubeferry.flows.options.from_model import takes

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kubeferry.flows.options.common import Format
    from kubeferry.tasks.core.models.options import DeleteOptions
    from kubeferry.tasks.core.models.results import DeleteResult

EPILOG = """\
[bold]Examples[/bold]

kubectl get bundles --all-namespaces

kubeferry delete before-upgrade-restore-20260102-030405 -n shop --dry-run

kubeferry delete before-upgrade-restore-20260102-030405 -n shop

kubeferry delete --selector app=canary -n shop -n billing --yes -o json
"""

REFUSED = 1
"""What is exited with when the answer is no."""


@takes(
    "delete",
    "bundle namespace selector dry_run yes expect force_finalizers wait_seconds context kubeconfig output debug",
    model="options.DeleteOptions",
)
def delete(asked: DeleteOptions, *, yes: bool, output: Format) -> None:
    """Delete what a restore created, by its bundle, or all objects with some labels, in reverse order and with waits.

    What was there before the restore is not touched. What does not go in time is told with its finalizers: exit 3.
    """
    from kubeferry.flows.console.delete_table import finish
    from kubeferry.tasks.core.errors import UsageError

    if asked.dry_run:
        finish(_looked(asked), asked, output)
    if not yes and not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask at: say --yes to delete, or --dry-run to look first")
    finish(_deleted(asked if yes else _agreed(asked, output)), asked, output)


def _looked(asked: DeleteOptions) -> DeleteResult:
    """Look without Prefect: nothing is written."""
    from kubeferry.flows.console.terminal import told
    from kubeferry.tasks.delete.execute import found
    from kubeferry.tasks.delete.state import Deleting
    from kubeferry.tasks.ports.local import clock

    with told():
        return found(Deleting(asked.model_copy(update={"dry_run": True})), clock.now())


def _agreed(asked: DeleteOptions, output: Format) -> DeleteOptions:
    """Return the options that a person at the terminal has agreed to: for this very group."""
    from kubeferry.flows.console.delete_table import finish, shown

    seen = _looked(asked)
    if not (seen.members or seen.bundle):
        finish(seen, asked, output)
    with redirect_stdout(sys.stderr):  # it is not the result yet
        shown(seen)
        yes = _confirmed(f"Delete {seen.objects} objects?")
    if not yes:
        sys.stderr.write("nothing was deleted\n")
        raise typer.Exit(REFUSED)
    return asked.model_copy(update={"expect": asked.expect or seen.digest})


def _confirmed(question: str) -> bool:
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:  # Ctrl-C, or the end of the input
        raise KeyboardInterrupt from None


def _deleted(asked: DeleteOptions) -> DeleteResult:
    from kubeferry.flows.console.run import run

    def start() -> Coroutine[Any, Any, DeleteResult]:
        from kubeferry.flows.delete import delete as flow

        return flow(asked)

    return run(start, asked)
