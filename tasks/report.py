"""Create the artifacts of a run in Prefect: a page and a table, shown with the run and under Artifacts.

They contain names and reasons, never contents of objects. A partial result also emits an event, for automations.
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
from kubeferry.tasks.step import log

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeferry.tasks.core.formats.migration import End
    from kubeferry.tasks.core.models.results import (
        ExportResult,
        Judged,
        MigrateResult,
        PopulateResult,
        PruneResult,
        RestoreResult,
        VerifyResult,
    )
    from kubeferry.tasks.core.ops.report import AnyResult
    from kubeferry.tasks.plan.state import Plan, Source
    from kubeferry.tasks.restore.outcome import Outcome


PARTIAL = "kubeferry.run.partial"
"""The event of a run with a partial result; an automation in deployments/automations.yaml triggers on it."""


async def report(result: AnyResult) -> None:
    """Create the artifacts of a run that ended with a result."""
    kind = type(result).__name__.removesuffix("Result").lower()
    key = f"{kind}-{re.sub('[^a-z0-9]+', '-', result.name)}"
    title = f"{kind} {result.name}"
    page = f"{summary(result)}\n[All of it by type](../key/{key}-objects)\n"
    await asyncio.gather(
        acreate_markdown_artifact(page, key=key, description=f"{title}: what was done"),
        acreate_table_artifact(
            rows(result), key=f"{key}-objects", description=f"{title}: objects, and what was excluded and why"
        ),
    )
    _announce(result.phase)


async def report_namespaces(
    result: MigrateResult | PopulateResult, flow: str, title: str, shown: Callable[[End], tuple[str, str]]
) -> None:
    """Create the table of the namespaces of a run, those that need attention first.

    Args:
        result: of the run.
        flow: its flow, which begins the artifact's key.
        title: how the run is called in the artifact's description.
        shown: returns the name and the status of one namespace.
    """
    order = {Phase.FAILED: 0, Phase.PARTIAL: 1, Phase.COMPLETED: 2}
    table = [
        dict(zip(("namespace", "status"), shown(end), strict=True))
        | {"objects": end.objects, "seconds": end.seconds, "restore": end.restore, "why": one_line(end.why)}
        for end in sorted(result.namespaces, key=lambda end: order[end.phase])
    ]
    key = f"{flow}-{re.sub('[^a-z0-9]+', '-', result.name)}"
    await acreate_table_artifact(table, key=key, description=f"{title}: namespaces")
    text = ", ".join(f"{count} {phase}" for phase, count in result.phases.items())
    log(f"{flow} {result.name}: {result.phase}, {text}")


async def report_failure(result: RestoreResult) -> None:
    """Report what a failed restore had done and what happened to it, at the terminal and as an artifact."""
    done = ", ".join(f"{count} {action}" for action, count in sorted(result.actions.items())) or "nothing was written"
    lines = [f"until then: {done}", *aftermath(result)]
    log(f"restore {result.name} failed; " + "; ".join(lines))
    page = "\n".join(
        [f"# Restore {result.name}: Failed", "", *(f"- {words(line)}" for line in [result.error, *lines]), ""]
    )
    key = f"restore-{re.sub('[^a-z0-9]+', '-', result.name)}"
    await acreate_markdown_artifact(page, key=key, description=f"restore {result.name}: what was done until it failed")


async def report_stopped(source: Source, plan: Plan, outcome: Outcome) -> None:
    """Report what a cancelled or interrupted restore had done, and what the user can do now.

    The restore has stopped cleanly, and the run ends by its cancellation: an error of Prefect here is only a note.
    """
    name = source.name
    ways = f"kubeferry restore --resume {name}, or kubeferry undo {name}"
    log(f"restore {name} was stopped; what it did stays: {ways}")
    page = stopped(name, source.options.backup, plan.names(), dict(outcome.actions))
    key = f"restore-{re.sub('[^a-z0-9]+', '-', name)}"
    try:
        await acreate_markdown_artifact(
            page, key=key, description=f"restore {name}: what was done until it was stopped"
        )
    except (HTTPError, PrefectException) as error:
        progress.note(f"Prefect did not accept the artifact of the stopped restore: {type(error).__name__}")


async def report_verified(result: VerifyResult) -> None:
    """Create the artifacts of a verification, always under the same keys, so that Prefect shows their history."""
    table = [{"backup": each.name, "bytes": each.bytes, "verdict": verdict(each)} for each in result.backups]
    title = f"verification of {result.store}"
    await asyncio.gather(
        acreate_markdown_artifact(verified_page(result), key="verify", description=title),
        acreate_table_artifact(table, key="verify-backups", description=title),
    )
    _announce(result.phase)


def _announce(phase: Phase) -> None:
    """Emit an event if the result is partial: the state of such a run is Completed, like that of a full success."""
    if phase is Phase.PARTIAL:
        named = {"prefect.resource.id": f"prefect.flow-run.{flow_run.id}", "prefect.resource.name": flow_run.name or ""}
        emit_event(PARTIAL, named)


async def report_export(result: ExportResult, page: str) -> None:
    """Create the artifact of an export: the page that is in its folder, too."""
    key = f"export-{re.sub('[^a-z0-9]+', '-', result.name)}"
    await acreate_markdown_artifact(page, key=key, description=f"export {result.name}: what is in {result.out}")
    _announce(result.phase)


async def report_prune(result: PruneResult) -> None:
    """Create the artifact of a prune."""
    rows = [_row(each) for each in result.judged]
    rows += [{"what": one_line(each.what), "verdict": "left", "why": one_line(each.why)} for each in result.left]
    rows += [{"what": one_line(each.what), "verdict": "problem", "why": one_line(each.why)} for each in result.problems]
    title = "what would be deleted" if result.dry_run else "what was deleted and what was kept"
    title += "; no bytes are freed, since the bucket keeps versions" if result.versions_stay else ""
    await acreate_table_artifact(rows, key="prune", description=f"prune {result.store}: {title}")


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
    """Return the verdict in one word."""
    return "keep" if each.keep else "removed" if each.removed else "remove"
