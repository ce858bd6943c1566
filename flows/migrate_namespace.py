"""One namespace of a migration: its restore, as a transaction, and the record of its outcome in the store."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from prefect.runtime import flow_run

from kubeferry.flows.restore import carry_out
from kubeferry.tasks.core.errors import KubeferryError
from kubeferry.tasks.core.formats.migration import SHARED, End
from kubeferry.tasks.core.models.options_migration import MigrateNamespaceOptions
from kubeferry.tasks.core.models.results import RestoreResult
from kubeferry.tasks.migrate.namespace import begun, end_of, failed_end, note_end, opened
from kubeferry.tasks.migrate.state import Migrating, here
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.local.workdir import workdir
from kubeferry.tasks.ports.prefect.parameters import flow_of
from kubeferry.tasks.report import report
from kubeferry.tasks.step import in_thread, joined

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL = 500
"""Up to this many objects, the steps of a namespace are part of its flow run; above, each step is a task run."""


def run_name(parameters: dict[str, Any]) -> str:
    """Return the name of the run that has these parameters."""
    namespace = parameters["namespace"]
    return f"migrate {'what is cluster-wide' if namespace == SHARED else namespace}"


def _run_name() -> str:
    return run_name(flow_run.parameters)


@flow_of(MigrateNamespaceOptions, name="migrate-namespace", flow_run_name=_run_name)
async def migrate_namespace(options: MigrateNamespaceOptions) -> End:
    """Restore one namespace of a migration whose backup is complete; an interrupted one is resumed.

    Raises:
        KubeferryError: it failed and was rolled back; `result` is its outcome.
    """
    started = clock.now()
    with _migrating(options) as migrating:
        try:
            end = await _migrate(migrating, options.namespace)
        except KubeferryError as error:
            known = error.result
            if isinstance(known, RestoreResult):
                error.result = failed = end_of(migrating, options.namespace, known)
            else:
                error.result = failed = failed_end(migrating, options.namespace, error, started)
            await in_thread(note_end, migrating, failed)
            raise
        await in_thread(note_end, migrating, end)
    return end


migrate_here = migrate_namespace.with_options(validate_parameters=False)
"""For callers in this process, whose options are valid: validating costs Prefect a pydantic model for each run."""


async def _migrate(migrating: Migrating, namespace: str) -> End:
    restore = await in_thread(begun, migrating, namespace)
    if isinstance(restore, End):
        return restore
    if len(restore.source.archived) > SMALL:
        result = await carry_out(restore, clock.now())
    else:
        result = await joined(lambda: carry_out(restore, clock.now()))
    end = end_of(migrating, namespace, result)
    if end.problems:
        await report(result)
    return end


@contextmanager
def _migrating(options: MigrateNamespaceOptions) -> Iterator[Migrating]:
    """Yield the migration: the one of this process, or, on a worker, one opened from the store."""
    shared = here()
    if shared is not None:
        yield shared
        return
    with workdir() as work:
        alone = opened(options, work)
        try:
            yield alone
        finally:
            alone.close()
