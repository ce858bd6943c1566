"""Show a person what a restore would do, and let it go on only when they approve that; nothing is written before."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import TYPE_CHECKING

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from kubeferry.tasks.core.errors import NotApprovedError
from kubeferry.tasks.core.jsondoc.printable import code, one_line
from kubeferry.tasks.core.plan.approval import Asking, page, plan_command, rows
from kubeferry.tasks.core.plan.document import document
from kubeferry.tasks.core.plan.forecast import changes
from kubeferry.tasks.plan.offline import Planned
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.prefect.approvals import ask, run_url
from kubeferry.tasks.preflight.checks import preflight
from kubeferry.tasks.preflight.forecast import forecast
from kubeferry.tasks.step import in_thread, tell

if TYPE_CHECKING:
    from kubeferry.tasks.core.plan.forecast import Forecast
    from kubeferry.tasks.plan.state import Restoring

TOLD = 5
"""Changes that are named in an error; how many more there are is told."""


async def approve(restoring: Restoring) -> None:
    """Return when a person has approved the plan, which then has passed preflight anew and is still what they saw.

    The plan is left as artifacts of the flow run, which is paused until then.

    Raises:
        NotApprovedError: it was refused, nobody answered in time, or it would now do something else.
        PreflightError: the target lacks something by now.
    """
    shown = await forecast(restoring)
    asking = _asking(restoring)
    await _show(restoring, asking, shown)
    await _ask(asking)
    await preflight(restoring)
    told = list(changes(shown, await forecast(restoring)))
    if told:
        more = f" and {len(told) - TOLD} more" if len(told) > TOLD else ""
        raise NotApprovedError(
            f"restore {restoring.name} would now do something else than what was approved: "
            + "; ".join(told[:TOLD])
            + more
        )


def _asking(restoring: Restoring) -> Asking:
    options, target = restoring.options, restoring.target()
    return Asking(
        name=restoring.name,
        options=options,
        cluster=f"{target.name} ({target.host})",
        until=clock.now() + timedelta(seconds=options.approve_seconds),
        command=plan_command(options, restoring.backup.store.url),
    )


async def _show(restoring: Restoring, asking: Asking, shown: Forecast) -> None:
    plan = await in_thread(lambda: document(Planned(restoring).parts))
    key = f"restore-{re.sub('[^a-z0-9]+', '-', asking.name)}-plan"
    told = f"restore {asking.name}"
    await asyncio.gather(
        acreate_markdown_artifact(page(asking, plan, shown), key=key, description=f"{told}: what is to be approved"),
        acreate_table_artifact(
            rows(plan, shown), key=f"{key}-objects", description=f"{told}: objects in the order they are written"
        ),
    )


async def _ask(asking: Asking) -> None:
    """Pause until a person answers; tell at the terminal where and how."""
    name, options = asking.name, asking.options

    def waits() -> None:
        tell(f"restore {name} waits for approval until {asking.until:%Y-%m-%d %H:%M:%S} UTC: {run_url()}")
        tell(f"see the plan and press Resume there, or: kubeferry approve {name} (--refuse REASON to refuse)")

    about = f"Restore {code(name)} of backup {code(options.backup)} to cluster {code(asking.cluster)}: see *Artifacts*."
    answer = await ask(name, about, options.approve_seconds, waits)
    by, why = one_line(answer.by and f" by {answer.by}"), one_line(answer.reason)
    if answer.decision == "refuse":
        raise NotApprovedError(f"restore {name} was not approved{by}: {why or 'no reason was given'}")
    tell(f"restore {name} was approved{by}" + (f": {why}" if why else ""))
