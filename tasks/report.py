"""Leave what a run did in Prefect: a page of text and a table, found again under the run and under Artifacts."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from tasks.core.report import rows, summary
from tasks.step import tell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tasks.core.results import BackupResult, RestoreResult


async def report(result: BackupResult | RestoreResult) -> None:
    """Create the artifacts of a finished backup or restore; they hold names and reasons, never contents."""
    kind = type(result).__name__.removesuffix("Result").lower()
    key = f"{kind}-{re.sub('[^a-z0-9]+', '-', result.name)}"
    told = f"{kind} {result.name}"
    await asyncio.gather(
        acreate_markdown_artifact(summary(result), key=key, description=f"{told}: what was done"),
        acreate_table_artifact(
            rows(result), key=f"{key}-objects", description=f"{told}: objects, and what was left out and why"
        ),
    )


async def report_failure(name: str, why: str, actions: Mapping[str, int]) -> None:
    """Tell what a restore had done when it failed, at the terminal and as an artifact."""
    done = ", ".join(f"{count} {action}" for action, count in sorted(actions.items())) or "nothing was written"
    tell(f"restore {name} failed; until then: {done}. Run again, it goes on with what is missing")
    page = f"# {name}: Failed\n\n- {why}\n- until then: {done}\n"
    key = f"restore-{re.sub('[^a-z0-9]+', '-', name)}"
    await acreate_markdown_artifact(page, key=key, description=f"restore {name}: what was done until it failed")
