"""Let one run replace the late runs of its schedule, for example after a time without a worker."""

from __future__ import annotations

from kubeferry.tasks.ports.prefect.runs import take_over
from kubeferry.tasks.step import log


async def catch_up() -> None:
    """Cancel the late runs of the same schedule, which would read the same state as this run.

    Prefect itself would start each of them. A run that was started by hand cancels none.
    """
    if taken := await take_over():
        log(f"replaces {taken} late run{'s' * (taken > 1)} of this schedule")
