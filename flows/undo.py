"""Undo a restore: hold the Leases of its namespaces, delete what it created, restore what it changed, in reverse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.runtime import flow_run

from kubeferry.tasks.core.models.options import UndoOptions
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.prefect.parameters import flow_of
from kubeferry.tasks.report import report
from kubeferry.tasks.restore.back.undo import undo as revert
from kubeferry.tasks.step import log

if TYPE_CHECKING:
    from kubeferry.tasks.core.models.results import UndoResult


def _run_name() -> str:
    asked = flow_run.parameters
    return f"undo {asked['restore']}"


@flow_of(UndoOptions, name="undo", flow_run_name=_run_name)
async def undo(options: UndoOptions) -> UndoResult:
    """Undo a restore that is complete, has failed or was killed; one that is undone already stays so."""
    result = await revert(options, clock.now())
    if result.dry_run:
        log(f"undo {result.name}: would delete {len(result.to_delete)}, restore {len(result.to_restore)}")
        return result
    back = result.taken_back
    left = f", {len(back.left)} left" if back.left else ""
    log(f"undo {result.name}: {result.phase}, {back.deleted} deleted, {back.restored} restored{left}")
    await report(result)
    return result
