"""`kubeferry prune`: show what would go, ask, start the flow, print its result."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import typer

from kubeferry.flows.options.from_model import takes

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kubeferry.flows.options.common import Format
    from kubeferry.tasks.core.models.options_maintenance import PruneOptions
    from kubeferry.tasks.core.models.results import PruneResult

EPILOG = """\
[bold]Examples[/bold]

kubeferry prune --keep-within 30d --dry-run

kubeferry prune --keep-last 3 --keep-daily 7 --keep-weekly 5 --keep-monthly 12

kubeferry prune --keep-daily 7 --restores-within 90d --yes -o json

kubeferry prune --yes, which removes what has expired and nothing else
"""

REFUSED = 1
"""What is exited with when the answer is no."""


@takes(
    "prune",
    "keep_within keep_last keep_hourly keep_daily keep_weekly keep_monthly keep_yearly",
    "restores_within velero dry_run yes expect store output debug",
    model="options_maintenance.PruneOptions",
)
def prune(asked: PruneOptions, *, yes: bool, output: Format) -> None:
    """Remove backups that no rule keeps, and those that have expired; never the last good one of a series.

    A series are the backups of the same namespaces of one cluster. Rules mean what they mean in restic; without one
    only what has expired goes. What a killed run half deleted is finished; what is being written is left alone.
    """
    from kubeferry.flows.console.prune_table import finish
    from kubeferry.tasks.core.errors import UsageError

    if asked.dry_run:
        finish(_looked(asked), asked, output)
    if not yes and not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask at: say --yes to remove, or --dry-run to look first")
    finish(_pruned(asked if yes else _agreed(asked, output)), asked, output)


def _looked(asked: PruneOptions) -> PruneResult:
    """Look without Prefect: nothing is written."""
    from kubeferry.flows.console.terminal import told
    from kubeferry.tasks.maintain.prune import judged

    with told():
        return judged(asked)


def _agreed(asked: PruneOptions, output: Format) -> PruneOptions:
    """Return the options that a person at the terminal has agreed to: for exactly what was shown."""
    from kubeferry.flows.console.prune_table import finish, shown

    seen = _looked(asked)
    if not seen.going:
        finish(seen, asked, output)
    with redirect_stdout(sys.stderr):  # it is not the result yet
        shown(seen)
        yes = _confirmed(f"Remove {len(seen.going)}?")
    if not yes:
        sys.stderr.write("nothing was removed\n")
        raise typer.Exit(REFUSED)
    return asked.model_copy(update={"expect": asked.expect or seen.digest})


def _confirmed(question: str) -> bool:
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:  # Ctrl-C, or the end of the input
        raise KeyboardInterrupt from None


def _pruned(asked: PruneOptions) -> PruneResult:
    from kubeferry.flows.console.run import run

    def start() -> Coroutine[Any, Any, PruneResult]:
        from kubeferry.flows.prune import prune as flow

        return flow(asked)

    return run(start, asked, reach=False)
