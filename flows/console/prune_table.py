"""A prune as tables: what is removed and what stays, series by series, each with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from kubeferry.flows.console.output import line, table
from kubeferry.flows.console.results import STYLES, end, problems

if TYPE_CHECKING:
    from kubeferry.flows.options.common import Format
    from kubeferry.tasks.core.models.results import Judged, PruneResult


def finish(result: PruneResult, asked: object, output: Format) -> NoReturn:  # noqa: ARG001 - all are called alike
    """Print a result and exit with the code of its phase."""
    counts = {"removed": len(result.removed), "going": len(result.going), "freed": result.freed}
    totals = {**counts, "seconds": round(result.seconds, 3)}
    end(result, output, lambda: _tables(result), totals)


def _tables(result: PruneResult) -> None:
    shown(result)
    line(f"\n{_last(result)}", STYLES[result.phase.value])


def shown(result: PruneResult) -> None:
    """Print what is removed and what stays."""
    if result.judged:
        table(["NAME", "PHASE", "STARTED", "VERDICT", "WHY", "SERIES"], [_row(each) for each in result.judged])
    problems("Left alone", result.left)
    problems("Problems", result.problems)


def _row(each: Judged) -> list[str]:
    verdict = "keep" if each.keep else "removed" if each.removed else "remove"
    started = f"{each.started:%Y-%m-%d %H:%M}" if each.started else ""
    return [each.name, each.phase or each.what, started, verdict, each.why, each.series or each.what]


def _last(result: PruneResult) -> str:
    kept = len(result.judged) - len(result.going)
    freed = "no bytes freed: the bucket keeps versions" if result.versions_stay else f"{result.freed} bytes"
    if not result.judged:
        return f"prune {result.store}: there is nothing in it"
    if result.dry_run:
        agreed = f"; --expect {result.digest} removes exactly this" if result.going else ""
        summary = f"{len(result.going)} would be removed ({freed}), {kept} stay{agreed}"
        return f"prune {result.store}: a dry run, nothing was removed: {summary}"
    removed = f"{len(result.removed)} removed ({freed})" if result.removed else "0 removed"
    return f"prune {result.store}: {result.phase}, {removed}, {kept} kept in {result.seconds:.1f} s"
