"""`kubeferry approve`: answer a restore that waits for approval, through the Prefect API and with no cluster."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from kubeferry.flows.options import completion as completing
from kubeferry.flows.options.common import Debug, Format, Output

if TYPE_CHECKING:
    from kubeferry.tasks.ports.prefect.approvals import Answered

EPILOG = """\
[bold]Examples[/bold]

kubeferry approve before-upgrade-restore-20260102-030405

kubeferry approve before-upgrade-restore-20260102-030405 --refuse 'not before Monday'

PREFECT_API_URL=https://prefect.example.com/api kubeferry approve nightly-restore-20260102-030405
"""

Restore = Annotated[
    str,
    typer.Argument(
        metavar="RESTORE",
        help="Name of the restore that waits, or the id of its flow run.",
        show_default=False,
        autocompletion=completing.restores,
    ),
]
Refuse = Annotated[
    str | None,
    typer.Option("--refuse", metavar="REASON", show_default=False, help="End it instead; it is told the reason."),
]


def approve(
    restore: Restore,
    *,
    refuse: Refuse = None,
    output: Output = Format.TABLE,
    debug: Debug = False,  # noqa: ARG001 - its callback has taken it
) -> None:
    """Let a restore go on that waits for approval (restore --approve), or refuse it. Its Prefect server is used.

    Where that is, the restore has printed the URL of its plan. Returns when the restore has heard.
    """
    from kubeferry.flows.console.output import line, print_document
    from kubeferry.flows.console.terminal import told

    with told():
        done = _answer(restore, refuse)
    if output is Format.TABLE:
        line(f"restore {done.restore}: {done.decision}, {done.run}")
    else:
        print_document(asdict(done), output)


def _answer(restore: str, refuse: str | None) -> Answered:
    import asyncio

    from kubeferry.flows.console.run import prepare

    prepare()
    from kubeferry.tasks.ports.prefect.approvals import answer

    # An empty reason refuses too: a variable that is not set must not approve.
    return asyncio.run(answer(restore, "approve" if refuse is None else "refuse", refuse or ""))
