"""One namespace of a migration: take up what was done of it, and write down how it ended."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import BackupNotFoundError, KubeferryError
from kubeferry.tasks.core.formats.journal import TAKEN_BACK
from kubeferry.tasks.core.formats.migration import SHARED, End, restore_name
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.migrate.state import Migrating
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
    """Return the migration of a flow run that was started alone, with the cluster as it is called here.

    Raises:
        BackupNotFoundError: no migration of that name, or none that has been backed up.
    """
    from kubeferry.tasks.core.models.options_migration import MigrateOptions

    stored = open_migration(open_store(options.store), options.migration, ends=False)
    if stored.source is None:
        raise BackupNotFoundError(f"migration {options.migration} has not been backed up: resume it")
    here = {"to_context": options.context, "kubeconfig": options.kubeconfig, "store": options.store}
    asked = stored.header.options | {key: value for key, value in here.items() if value}
    migrating = Migrating(options.migration, MigrateOptions.model_validate(asked), stored.source, work)
    migrating.unpack()
    return migrating


def begun(migrating: Migrating, space: str) -> End | Restore:
    """Return the restore of a part, new or taken up; or how it ended, where only the word on that was lost.

    Raises:
        UsageError: the namespace is not one of the migration's.
    """
    into = _into(migrating, space)
    for turn in count(1):
        name = restore_name(migrating.name, space, turn)
        stored = _found(migrating, name)
        if stored is None:
            return _restore(migrating, space, {"name": name})
        if stored.state.end in ("Completed", "Partial"):
            return _ended(stored, space, into)
        if stored.state.end not in TAKEN_BACK:
            return _restore(migrating, space, {"resume": name}, stored)
    raise AssertionError("unreachable: a name is free in the end")


def _into(migrating: Migrating, space: str) -> str:
    return "" if space == SHARED else migrating.source.namespaces[space]


def _found(migrating: Migrating, name: str) -> StoredRestore | None:
    try:
        return open_restore(migrating.backup.store, name)
    except BackupNotFoundError:
        return None


def _restore(migrating: Migrating, space: str, named: dict[str, str], stored: StoredRestore | None = None) -> Restore:
    namespace = "" if space == SHARED else space
    name = named.get("name") or named["resume"]
    options = migrating.options.restore(migrating.source.backup, name, namespace, migrating.source.namespaces)
    return migrating.restore(options, space, stored)


def _ended(stored: StoredRestore, space: str, into: str) -> End:
    """Return the end of a restore that came to it just before its process died: its journal knows less than it did."""
    counts: dict[str, int] = {}
    actions: dict[str, int] = {}
    for ref, (_, action) in stored.state.done.items():
        counts[ref.type] = counts.get(ref.type, 0) + 1
        actions[action] = actions.get(action, 0) + 1
    return End(
        namespace=space,
        into=into,
        phase=Phase(stored.state.end),
        restore=stored.header.name,
        objects=sum(counts.values()),
        counts=counts,
        actions=actions,
    )


def end_of(migrating: Migrating, space: str, result: RestoreResult) -> End:
    """Return how it went with a part; what could not be read of it on the source is a problem, too."""
    unread = [] if space == SHARED else [*migrating.source.unread.get("", []), *migrating.source.unread.get(space, [])]
    problems = [*unread, *result.problems]
    return End(
        namespace=space,
        into=_into(migrating, space),
        phase=Phase.PARTIAL if problems and result.phase is Phase.COMPLETED else result.phase,
        restore=result.name if sum(result.actions.values()) or result.phase is not Phase.FAILED else "",
        objects=result.objects if result.phase is not Phase.FAILED else 0,
        counts=result.counts if result.phase is not Phase.FAILED else {},
        actions=result.actions,
        problems=problems,
        error=result.error,
        seconds=round(result.seconds, 3),
    )


def failed_end(migrating: Migrating, space: str, error: KubeferryError, started: datetime) -> End:
    """Return the end of a part that failed before its restore could tell anything."""
    seconds = (clock.now() - started).total_seconds()
    return End(namespace=space, into=_into(migrating, space), phase=Phase.FAILED, error=str(error), seconds=seconds)


def note_end(migrating: Migrating, end: End) -> None:
    """Write how it ended into the store; a failure never takes the place of a success, of another process."""
    store = migrating.backup.store
    if not end.done and (former := read_end(store, migrating.name, end.namespace)) and former.done:
        return
    write_end(store, migrating.name, end)
