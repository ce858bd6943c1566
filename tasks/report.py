"""Leave what a run did in Prefect: a page of text and a table, found again under the run and under Artifacts.

Leave in Prefect what a prune kept and removed: one table, found again under the run and under Artifacts.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from httpx import HTTPError
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.events import emit_event
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run

from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.jsondoc.printable import one_line, words
from kubeferry.tasks.core.models.results import page as verified_page
from kubeferry.tasks.core.models.results import verdict
from kubeferry.tasks.core.ops.report import aftermath, rows, stopped, summary
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.step import tell

if TYPE_CHECKING:
    from kubeferry.tasks.core.models.results import Judged, PruneResult, RestoreResult, VerifyResult
    from kubeferry.tasks.core.ops.report import AnyResult
    from kubeferry.tasks.plan.state import Plan, Source
    from kubeferry.tasks.restore.outcome import Outcome


PARTIAL = "kubeferry.run.partial"
"""The event of a run whose result is partial; deployments/automations.yaml waits for it."""


async def report(result: AnyResult) -> None:
    """Create the artifacts of a run that came to its end; they hold names and reasons, never contents."""
    kind = type(result).__name__.removesuffix("Result").lower()
    key = f"{kind}-{re.sub('[^a-z0-9]+', '-', result.name)}"
    told = f"{kind} {result.name}"
    page = f"{summary(result)}\n[All of it by type](../key/{key}-objects)\n"
    await asyncio.gather(
        acreate_markdown_artifact(page, key=key, description=f"{told}: what was done"),
        acreate_table_artifact(
            rows(result), key=f"{key}-objects", description=f"{told}: objects, and what was left out and why"
        ),
    )
    _announce(result.phase)


async def report_failure(result: RestoreResult) -> None:
    """Tell what a failed restore had done and what became of it, at the terminal and as an artifact."""
    done = ", ".join(f"{count} {action}" for action, count in sorted(result.actions.items())) or "nothing was written"
    lines = [f"until then: {done}", *aftermath(result)]
    tell(f"restore {result.name} failed; " + "; ".join(lines))
    page = "\n".join(
        [f"# Restore {result.name}: Failed", "", *(f"- {words(line)}" for line in [result.error, *lines]), ""]
    )
    key = f"restore-{re.sub('[^a-z0-9]+', '-', result.name)}"
    await acreate_markdown_artifact(page, key=key, description=f"restore {result.name}: what was done until it failed")


async def report_stopped(source: Source, plan: Plan, outcome: Outcome) -> None:
    """Tell what a restore had done that was cancelled or interrupted, and what a person can do now.

    It has been stopped in order by then, and ends as what it was stopped by: what Prefect does not take is a note.
    """
    name = source.name
    ways = f"kubeferry restore --resume {name}, or kubeferry undo {name}"
    tell(f"restore {name} was stopped; what it did stays: {ways}")
    page = stopped(name, source.options.backup, plan.names(), dict(outcome.actions))
    key = f"restore-{re.sub('[^a-z0-9]+', '-', name)}"
    try:
        await acreate_markdown_artifact(
            page, key=key, description=f"restore {name}: what was done until it was stopped"
        )
    except (HTTPError, PrefectException) as error:
        progress.note(f"Prefect has no page on that: {type(error).__name__}")


async def report_verified(result: VerifyResult) -> None:
    """Create the artifacts of a verification: the same keys each time, so that Prefect shows its history."""
    table = [{"backup": each.name, "bytes": each.bytes, "verdict": verdict(each)} for each in result.backups]
    told = f"verification of {result.store}"
    await asyncio.gather(
        acreate_markdown_artifact(verified_page(result), key="verify", description=told),
        acreate_table_artifact(table, key="verify-backups", description=told),
    )
    _announce(result.phase)


def _announce(phase: Phase) -> None:
    """Emit an event of this flow run when its result is partial: its state is Completed, and only that is an event."""
    if phase is Phase.PARTIAL:
        named = {"prefect.resource.id": f"prefect.flow-run.{flow_run.id}", "prefect.resource.name": flow_run.name or ""}
        emit_event(PARTIAL, named)


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
        "verdict": _judgement(each),
        "why": one_line(each.why),
    }


def _judgement(each: Judged) -> str:
    """Return what becomes of one, in a word."""
    return "keep" if each.keep else "removed" if each.removed else "remove"
