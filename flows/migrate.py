"""Migrate namespaces: select them, back up all at one point in time, restore each as a transaction, side by side.

Cluster-scoped objects come first, once. A namespace that fails never stops the others; the migration can be resumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.runtime import flow_run

from kubeferry.flows.backup import backup
from kubeferry.flows.migrate_namespace import migrate_here, run_name
from kubeferry.tasks.core.formats.migration import SHARED
from kubeferry.tasks.core.models.options_migration import FanOut, MigrateNamespaceOptions, MigrateOptions
from kubeferry.tasks.migrate.begin import MigrationWork, backup_to_make, begin_migration, note_source
from kubeferry.tasks.migrate.dispatch import Dispatch
from kubeferry.tasks.migrate.finish import lost, migrated, report_migrated
from kubeferry.tasks.migrate.progress import Board
from kubeferry.tasks.migrate.state import Migrating, sharing, unpack
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.local.gc import settle
from kubeferry.tasks.ports.local.workdir import workdir
from kubeferry.tasks.ports.prefect.parameters import flow_of
from kubeferry.tasks.ports.prefect.subflows import lean
from kubeferry.tasks.step import in_thread, side_by_side

if TYPE_CHECKING:
    from kubeferry.tasks.core.formats.migration import End, Source
    from kubeferry.tasks.core.models.results import MigrateResult


def _run_name() -> str:
    asked = flow_run.parameters
    names = asked.get("namespaces") or []
    chosen = f"{len(names)} namespaces" if len(names) > 3 else " ".join(names)  # noqa: PLR2004 - what fits a line
    return f"migrate {asked.get('resume') or asked.get('name') or chosen or 'namespaces'}"


@flow_of(MigrateOptions, name="migrate", flow_run_name=_run_name)
async def migrate(options: MigrateOptions) -> MigrateResult:
    """Migrate namespaces from one cluster to another, under the same names or others."""
    started = clock.now()
    settle()
    made = await begin_migration(options, started)
    try:
        source = made.stored.source or await _back_up(made)
        with workdir() as work:
            migrating = await in_thread(Migrating, made.name, made.options, source, work)
            try:
                await unpack(migrating)
                ends = await _namespaces(migrating, made)
            finally:
                migrating.close()
    finally:
        made.lease.release()
    result = migrated(migrating, ends, started)
    await report_migrated(result)
    return result


async def _back_up(made: MigrationWork) -> Source:
    if not made.names:
        return await note_source(made, None)
    asked = made.options.backup(await in_thread(backup_to_make, made), sorted(made.names))
    return await note_source(made, await backup(asked))


async def _namespaces(migrating: Migrating, made: MigrationWork) -> list[End]:
    """Return the outcome of each part, including those that an earlier run finished."""
    ends = {namespace: end for namespace, end in made.stored.ends.items() if end.done}
    todo = sorted(migrating.source.namespaces.keys() - ends.keys())
    shared = bool(migrating.parts.get(SHARED)) and SHARED not in ends
    async with Board(migrating.name, len(todo) + shared) as board:
        with sharing(migrating):
            if shared:
                ends[SHARED] = await board.ended(SHARED, _here(migrating, made, SHARED))
            if migrating.options.fan_out is FanOut.HERE:
                async with lean(lambda _, parameters: run_name(parameters)):
                    found = await side_by_side(
                        lambda namespace: board.ended(namespace, _here(migrating, made, namespace)),
                        todo,
                        migrating.options.side_by_side,
                    )
            else:
                found = await Dispatch(migrating, board).run(todo)
    return [*ends.values(), *found]


async def _here(migrating: Migrating, made: MigrationWork, namespace: str) -> End:
    """Return the outcome of a part that is restored in this process; a failure is an outcome, too."""
    asked = MigrateNamespaceOptions(migration=migrating.name, namespace=namespace, store=migrating.options.store)
    started = clock.now()
    try:
        made.lease.check()
        return await migrate_here(asked)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other namespaces go on
        return lost(migrating, namespace, error, started)
