"""Let one run do for all that its schedule has missed, as while no worker was up."""

from __future__ import annotations

from kubeferry.tasks.ports.prefect.runs import take_over
from kubeferry.tasks.step import tell


async def catch_up() -> None:
    """Take the place of the runs of the same schedule that were due meanwhile: they would read what is read now.

    Prefect itself would start each of them. Nothing happens in a run that was started by hand.
    """
    if taken := await take_over():
        tell(f"does also for {taken} missed run{'s' * (taken > 1)} of this schedule")
