"""Delete objects: find them and what needs them, hold the Leases of their namespaces, delete in reverse order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.runtime import flow_run

from kubeferry.tasks.core.models.options import DeleteOptions
from kubeferry.tasks.delete.execute import remove, result
from kubeferry.tasks.delete.gather import gather
from kubeferry.tasks.delete.state import Deleting
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.prefect.parameters import flow_of
from kubeferry.tasks.report import report
from kubeferry.tasks.step import log

if TYPE_CHECKING:
    from kubeferry.tasks.core.models.results import DeleteResult


def _run_name() -> str:
    return f"delete {DeleteOptions.model_validate(flow_run.parameters).what}"


@flow_of(DeleteOptions, name="delete", flow_run_name=_run_name)
async def delete(options: DeleteOptions) -> DeleteResult:
    """Delete what a restore created, by its bundle, or all objects with some labels; never what existed before."""
    started, deleting = clock.now(), Deleting(options)
    try:
        await gather(deleting)
        if not options.dry_run:
            await remove(deleting)
    finally:
        deleting.hold.release()
    done = result(deleting, started)
    would = "would delete" if options.dry_run else "deleted"
    log(f"{deleting}: {done.phase}, {would} {done.objects} objects, {len(done.left)} left")
    await report(done)
    return done
