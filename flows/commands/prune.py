"""`kubeferry prune`: show what would be removed, ask, start the flow, print its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.flows.options.from_model import takes

if TYPE_CHECKING:
    from kubeferry.flows.options.common import Format
    from kubeferry.tasks.core.models.options_maintenance import PruneOptions
    from kubeferry.tasks.core.models.results import PruneResult

EPILOG = """\
Examples:
  kubeferry prune --keep-within 30d --dry-run
  kubeferry prune --keep-last 3 --keep-daily 7 --keep-weekly 5 --keep-monthly 12
  kubeferry prune --keep-daily 7 --restores-within 90d --yes -o json
  kubeferry prune --yes  # removes what has expired and nothing else
"""


@takes(
    "prune",
    "keep_within keep_last keep_hourly keep_daily keep_weekly keep_monthly keep_yearly",
    "restores_within velero dry_run yes expect store verify_with output debug",
    model="options_maintenance.PruneOptions",
)
def prune(asked: PruneOptions, *, yes: bool, output: Format) -> None:
    """Remove backups that no rule keeps, and those that have expired; never the last good one of a series.

    A series is the backups of the same namespaces of one cluster, with the same selection.
    Rules have restic's meaning; without a rule, only what has expired is removed.
    What a killed run half deleted is finished; what is being written is left alone.
    """
    from kubeferry.flows.console.confirm import Removal, agreed
    from kubeferry.flows.console.prune_table import finish, shown
    from kubeferry.flows.console.run import run_and_finish

    removal = Removal("remove", "removed", _looked, _question, shown, finish)
    asked = agreed(removal, asked, output, yes=yes)
    run_and_finish("prune", asked, output, finish, at=asked, reach=False)


def _looked(asked: PruneOptions) -> PruneResult:
    from kubeferry.tasks.maintain.prune import judged

    return judged(asked)


def _question(seen: PruneResult) -> str:
    return f"Remove {len(seen.going)}?" if seen.going else ""
