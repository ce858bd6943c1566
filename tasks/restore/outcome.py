"""What a restore comes to: its result when it is whole, partial or failed, and the last word in its journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.records import Phase, Problem
from kubeferry.tasks.core.models.results import RestoreResult
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from kubeferry.tasks.core.errors import KubeferryError
    from kubeferry.tasks.core.graph.closure import Missing
    from kubeferry.tasks.core.models.results import TakenBack
    from kubeferry.tasks.plan.state import Restoring


@step("close the journal")
async def end(restoring: Restoring, result: RestoreResult) -> None:
    """Write into the journal how the restore ended, and let its leases go: from now on there is nothing to resume."""
    await in_thread(_end, restoring, result)


def _end(restoring: Restoring, result: RestoreResult) -> None:
    told = f"{len(result.problems)} problems" if result.problems else ""
    restoring.journal.end("Partial" if result.phase is Phase.PARTIAL else "Completed", told)
    if restoring.hold:
        restoring.hold.release()


def restored(restoring: Restoring, problems: Sequence[Problem], started: datetime) -> RestoreResult:
    """Return the result of a restore that came to its end."""
    return _result(restoring, Phase.PARTIAL if problems else Phase.COMPLETED, started, problems=list(problems))


def failed(
    restoring: Restoring, error: KubeferryError, taken_back: TakenBack | None, started: datetime
) -> RestoreResult:
    """Return the result of a restore that failed, with what became of what it had done."""
    return _result(restoring, Phase.FAILED, started, error=str(error), taken_back=taken_back)


def _lacking(each: Missing) -> Problem:
    return Problem(what=str(each.ref), why=each.text)


def _result(restoring: Restoring, phase: Phase, started: datetime, **more: object) -> RestoreResult:
    return RestoreResult(
        name=restoring.name,
        phase=phase,
        store=restoring.backup.store.url,
        started=started,
        completed=clock.now(),
        counts=dict(sorted(restoring.counts.items())),
        left_out=restoring.plan.left_out,
        warnings=[*map(_lacking, restoring.plan.missing), *restoring.plan.warnings],
        backup=restoring.options.backup,
        cluster=restoring.target().name,
        namespaces=restoring.names(),
        actions=dict(restoring.actions),
        notable=sorted(restoring.notable, key=lambda each: (each.type, each.namespace, each.name)),
        rewrites=[*restoring.plan.rewrites, *restoring.rewrites],
        levels=len(restoring.plan.order.levels),
        not_ready=restoring.not_ready,
        **more,
    )
