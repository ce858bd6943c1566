"""Delete objects: find them and what needs them, hold the Leases of their namespaces, delete in reverse order."""

from __future__ import annotations

from prefect import flow
from prefect.runtime import flow_run

from kubeferry.tasks.core.models.options import DeleteOptions
from kubeferry.tasks.core.models.results import DeleteResult
from kubeferry.tasks.delete.execute import remove, result
from kubeferry.tasks.delete.gather import gather
from kubeferry.tasks.delete.state import Deleting
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.report import report
from kubeferry.tasks.step import log


def _run_name() -> str:
    options = flow_run.parameters["options"]
    return f"delete {DeleteOptions.model_validate(options).what}"


@flow(name="delete", flow_run_name=_run_name, persist_result=False)
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
