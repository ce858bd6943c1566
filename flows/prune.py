"""Prune a store: list its backups, judge them by the rules, remove those that no rule keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.models.options_maintenance import PruneOptions
from kubeferry.tasks.maintain.catch_up import catch_up
from kubeferry.tasks.maintain.prune import judge, remove
from kubeferry.tasks.ports.prefect.parameters import flow_of
from kubeferry.tasks.report import report_prune
from kubeferry.tasks.step import log

if TYPE_CHECKING:
    from kubeferry.tasks.core.models.results import PruneResult


@flow_of(PruneOptions, name="prune", flow_run_name="prune")
async def prune(options: PruneOptions) -> PruneResult:
    """Remove the backups of a store that no rule keeps and that have expired; never the last good one of a series.

    What another run is writing or deleting is left alone; what a killed run half deleted is finished.
    """
    await catch_up()
    result = await judge(options)
    if not options.dry_run:
        result = await remove(options, result)
    kept = len(result.judged) - len(result.going)
    would = f"would remove {len(result.going)}" if options.dry_run else f"removed {len(result.removed)}"
    log(f"prune {result.store}: {result.phase}, {would}, kept {kept}")
    await report_prune(result)
    return result
