"""Leave what a run did in Prefect: a page of text and a table, found again under the run and under Artifacts."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from tasks.core.printable import words
from tasks.core.report import aftermath, rows, summary
from tasks.step import tell

if TYPE_CHECKING:
    from tasks.core.report import AnyResult
    from tasks.core.results import RestoreResult


async def report(result: AnyResult) -> None:
    """Create the artifacts of a run that came to its end; they hold names and reasons, never contents."""
    kind = type(result).__name__.removesuffix("Result").lower()
    key = f"{kind}-{re.sub('[^a-z0-9]+', '-', result.name)}"
    told = f"{kind} {result.name}"
    await asyncio.gather(
        acreate_markdown_artifact(summary(result), key=key, description=f"{told}: what was done"),
        acreate_table_artifact(
            rows(result), key=f"{key}-objects", description=f"{told}: objects, and what was left out and why"
        ),
    )


async def report_failure(result: RestoreResult) -> None:
    """Tell what a failed restore had done and what became of it, at the terminal and as an artifact."""
    done = ", ".join(f"{count} {action}" for action, count in sorted(result.actions.items())) or "nothing was written"
    lines = [f"until then: {done}", *aftermath(result)]
    tell(f"restore {result.name} failed; " + "; ".join(lines))
    page = "\n".join([f"# {result.name}: Failed", "", *(f"- {words(line)}" for line in [result.error, *lines]), ""])
    key = f"restore-{re.sub('[^a-z0-9]+', '-', result.name)}"
    await acreate_markdown_artifact(page, key=key, description=f"restore {result.name}: what was done until it failed")
