"""Leave in Prefect what a prune kept and removed: one table, found again under the run and under Artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.artifacts import acreate_table_artifact

from kubeferry.tasks.core.jsondoc.printable import one_line

if TYPE_CHECKING:
    from kubeferry.tasks.core.models.results import Judged, PruneResult


async def report_prune(result: PruneResult) -> None:
    """Create the artifact of a prune."""
    rows = [_row(each) for each in result.judged]
    rows += [{"what": one_line(each.what), "verdict": "left", "why": one_line(each.why)} for each in result.left]
    rows += [{"what": one_line(each.what), "verdict": "problem", "why": one_line(each.why)} for each in result.problems]
    told = "what would go" if result.dry_run else "what went and what stays"
    await acreate_table_artifact(rows, key="prune", description=f"prune {result.store}: {told}")


def _row(each: Judged) -> dict[str, str]:
    return {
        "what": f"{each.what} {each.name}",
        "series": one_line(each.series),
        "phase": each.phase,
        "started": f"{each.started:%Y-%m-%d %H:%M}" if each.started else "",
        "verdict": verdict(each),
        "why": one_line(each.why),
    }


def verdict(each: Judged) -> str:
    """Return what becomes of one, in a word."""
    return "keep" if each.keep else "removed" if each.removed else "remove"
