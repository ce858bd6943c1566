"""One namespace of a migration: begin or resume its restore, and record how it ended."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import BackupNotFoundError, KubeferryError, UsageError
from kubeferry.tasks.core.formats.journal import REVERTED
from kubeferry.tasks.core.formats.migration import SHARED, End, restore_name
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.models.from_store import from_store
from kubeferry.tasks.migrate.begin import same_clusters
from kubeferry.tasks.migrate.ends import end_of as end_of_restore
from kubeferry.tasks.migrate.state import Migrating
from kubeferry.tasks.plan.download import same_backup
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.records.migrations import open_migration, read_end, write_end
from kubeferry.tasks.ports.records.restores import open_restore
from kubeferry.tasks.ports.store.open import open_store

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from kubeferry.tasks.core.models.options_migration import MigrateNamespaceOptions
    from kubeferry.tasks.core.models.results import RestoreResult
    from kubeferry.tasks.ports.records.restores import StoredRestore
    from kubeferry.tasks.restore.state import Restore


def opened(options: MigrateNamespaceOptions, work: Path) -> Migrating:
    """Return the migration of a flow run on a worker, with this machine's kubeconfig context.

    Raises:
        BackupNotFoundError: there is no migration of this name, or it has no backup yet.
    """
    from kubeferry.tasks.core.models.options_migration import MigrateOptions

    stored = open_migration(open_store(options.store), options.migration, ends=False)
    if stored.source is None:
        raise BackupNotFoundError(f"migration {options.migration} has not been backed up: resume it")
    if not options.context:
        raise UsageError("name the target cluster: the context by which this worker's kubeconfig has it")
    here = {"to_context": options.context, "kubeconfig": options.kubeconfig, "store": options.store}
    asked = from_store(stored.header.options, f"migration {options.migration}") | {
        key: value for key, value in here.items() if value
    }
    migrating = Migrating(options.migration, MigrateOptions.model_validate(asked), stored.source, work)
    same_clusters(stored.header, migrating.target())
    migrating.unpack()
    return migrating


def begun(migrating: Migrating, namespace: str) -> End | Restore:
    """Return the restore of a part, new or resumed; or its end, if it ended but the record of that was lost.

    Raises:
        UsageError: the namespace does not belong to the migration.
    """
    into = _into(migrating, namespace)
    for attempt in count(1):
        name = restore_name(migrating.name, namespace, attempt)
        stored = _found(migrating, name)
        if stored is None:
            return _restore(migrating, namespace, {"name": name})
        if stored.state.end in ("Completed", "Partial"):
            return _ended(stored, namespace, into)
        if stored.state.end not in REVERTED:
            return _restore(migrating, namespace, {"resume": name}, stored)
    raise AssertionError("unreachable: a name is free in the end")


def _into(migrating: Migrating, namespace: str) -> str:
    return "" if namespace == SHARED else migrating.source.namespaces[namespace]


def _found(migrating: Migrating, name: str) -> StoredRestore | None:
    try:
        return open_restore(migrating.backup.store, name)
    except BackupNotFoundError:
        return None


def _restore(
    migrating: Migrating, namespace: str, named: dict[str, str], stored: StoredRestore | None = None
) -> Restore:
    selected = "" if namespace == SHARED else namespace
    name = named.get("name") or named["resume"]
    if stored:
        same_backup(stored, migrating.source.manifest)
    options = migrating.options.restore(migrating.source.backup, name, selected, migrating.source.namespaces)
    return migrating.restore(options, namespace, stored)


def _ended(stored: StoredRestore, namespace: str, into: str) -> End:
    """Return the end of a restore that completed just before its process died, from its journal."""
    counts: dict[str, int] = {}
    actions: dict[str, int] = {}
    for ref, (_, action) in stored.state.done.items():
        counts[ref.type] = counts.get(ref.type, 0) + 1
        actions[action] = actions.get(action, 0) + 1
    return End(
        namespace=namespace,
        into=into,
        phase=Phase(stored.state.end),
        restore=stored.header.name,
        objects=sum(counts.values()),
        counts=counts,
        actions=actions,
        losses=stored.state.losses,
    )


def end_of(migrating: Migrating, namespace: str, result: RestoreResult) -> End:
    """Return the end of a part; types that could not be read on the source are problems, too."""
    unread = (
        []
        if namespace == SHARED
        else [*migrating.source.unread.get("", []), *migrating.source.unread.get(namespace, [])]
    )
    end = end_of_restore(namespace, _into(migrating, namespace), result)
    problems = [*unread, *end.problems]
    phase = Phase.PARTIAL if problems and end.phase is Phase.COMPLETED else end.phase
    return end.model_copy(update={"problems": problems, "phase": phase})


def failed_end(migrating: Migrating, namespace: str, error: KubeferryError, started: datetime) -> End:
    """Return the end of a part that failed before its restore began."""
    seconds = (clock.now() - started).total_seconds()
    return End(
        namespace=namespace, into=_into(migrating, namespace), phase=Phase.FAILED, error=str(error), seconds=seconds
    )


def note_end(migrating: Migrating, end: End) -> None:
    """Write an end to the store; a failure never replaces a success, for example of another process."""
    store = migrating.backup.store
    if not end.done and (previous := read_end(store, migrating.name, end.namespace)) and previous.done:
        return
    write_end(store, migrating.name, end)
