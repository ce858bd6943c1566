"""The first step of a migration: choose its namespaces and write its header to the store, or resume a migration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from kubeferry.tasks.core.errors import DamagedError, UsageError
from kubeferry.tasks.core.formats.layout import BackupKeys, alike
from kubeferry.tasks.core.formats.migration import Header, Source, migration_name, unread_of
from kubeferry.tasks.core.kube.label_selectors import parse_selector
from kubeferry.tasks.core.models.from_store import EACH_RUN, from_store, to_store
from kubeferry.tasks.core.models.options_migration import MigrateOptions
from kubeferry.tasks.core.selection.namespaces import is_system, without
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.cluster.identity import check_same, identity
from kubeferry.tasks.ports.cluster.namespaces import listed, live_namespaces
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.records.backups import open_backup
from kubeferry.tasks.ports.records.migration_lease import MigrationLease
from kubeferry.tasks.ports.records.migrations import StoredMigration, begin, open_migration, write_source
from kubeferry.tasks.ports.store.open import open_store
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from datetime import datetime

    from kubeferry.tasks.core.models.results import BackupResult
    from kubeferry.tasks.ports.cluster.client import Cluster
    from kubeferry.tasks.ports.store.base import Store

HERE = {*EACH_RUN, "from_context", "to_context", "kubeconfig", "side_by_side", "fan_out", "deployment"}
"""Options that a resumed migration takes from the operator."""


class MigrationWork:
    """The work of a migration. A plain class: Prefect would traverse every value of a dataclass."""

    def __init__(
        self, options: MigrateOptions, stored: StoredMigration, names: dict[str, str], lease: MigrationLease
    ) -> None:
        """Take the options, the stored migration, its namespaces as old name → new name, and its lease."""
        self.options, self.stored, self.names, self.lease = options, stored, names, lease
        self.absent: dict[str, str] = {}
        """Requested namespaces that cannot be migrated, with the reason."""

    def __repr__(self) -> str:
        """Return the name, which Prefect shows among the parameters."""
        return f"migration {self.name}"

    @property
    def name(self) -> str:
        """Return the migration's name."""
        return self.stored.header.name


DEFAULT = "default"
"""The namespace that every cluster has."""


@step("choose namespaces")
async def begin_migration(options: MigrateOptions, started: datetime) -> MigrationWork:
    """Return the work of a new or resumed migration.

    Raises:
        UsageError: no namespace matches, two would get the same name, or the name of the migration is taken.
        PermanentError: another run works on the migration to resume.
        BackupNotFoundError: there is no migration of the name to resume.
    """
    return await in_thread(_resume if options.resume else _new, options, started)


def _new(options: MigrateOptions, started: datetime) -> MigrationWork:
    cluster = connect(options.from_context or None, options.kubeconfig or None)
    target = connect(options.to_context or None, options.kubeconfig or None)
    chosen, absent = _chosen(cluster, options)
    name = migration_name(options.name, chosen or sorted(absent), clock.now())
    names = _names(options, chosen, absent)
    if not options.into_existing:
        _check_free(target, names)
    asked = to_store(options.model_dump(mode="json", exclude_defaults=True))
    header = Header(name=name, started=started, origin=identity(cluster), target=identity(target), options=asked)
    store = open_store(options.store)
    store.check_writable()
    header = _begun(store, header, asked=bool(options.name))
    lease = MigrationLease(store, header.name, started.isoformat())
    made = MigrationWork(options, StoredMigration(header, None), names, lease)
    made.absent = absent
    return made


def _begun(store: Store, header: Header, *, asked: bool) -> Header:
    """Write the header; a name that we made up gets a number where another migration began in the same second."""
    for name in [header.name] if asked else alike(header.name):
        if store.exists(BackupKeys(name).metadata):
            if asked:
                raise UsageError(f"backup {name} exists already in {store.url}: choose another --name")
            continue
        made = header.model_copy(update={"name": name})
        try:
            begin(store, made)
        except UsageError:
            if asked:
                raise
        else:
            return made
    raise AssertionError("unreachable: a name is free in the end")


def _check_free(target: Cluster, names: dict[str, str]) -> None:
    """Refuse namespaces that the target has: they may be somebody's, who would read what is put there.

    Every cluster has `default`: that it is there says nothing, and the result tells who may read Secrets in it.
    """
    found = live_namespaces(target, sorted(names.values())).items()
    there = [name for name, live in found if live and name != DEFAULT and not live["metadata"].get("deletionTimestamp")]
    if there:
        raise UsageError(
            f"cluster {target.name} has {', '.join(there)} already, which may be somebody else's: choose another name"
            " with --map, or say --into-existing"
        )


def _names(options: MigrateOptions, chosen: list[str], absent: dict[str, str]) -> dict[str, str]:
    for old in sorted(options.map.keys() - {*chosen, *absent}):
        raise UsageError(f"--map names {old}, which is not among the namespaces to migrate")
    names = {name: options.map.get(name, name) for name in chosen}
    targets = list(names.values())
    for new in sorted({each for each in targets if targets.count(each) > 1}):
        raise UsageError(f"two namespaces would both become {new}")
    return names


def _chosen(cluster: Cluster, options: MigrateOptions) -> tuple[list[str], dict[str, str]]:
    """Return the requested namespaces that exist, and those that cannot be migrated, with the reason."""
    parse_selector(options.namespace_selector)
    names, absent = set[str](), dict[str, str]()
    for name, live in live_namespaces(cluster, options.namespaces).items():
        if live is None:
            absent[name] = f"namespace {name} does not exist on cluster {cluster.name} ({cluster.host})"
        elif live["metadata"].get("deletionTimestamp"):
            absent[name] = f"namespace {name} on cluster {cluster.name} is being deleted"
        else:
            names.add(name)
    if options.namespace_selector:
        names |= listed(cluster, options.namespace_selector)
    if options.all_namespaces:
        names |= {name for name in listed(cluster) if not is_system(name)}
    if not names | absent.keys():
        raise UsageError(f"no namespace of cluster {cluster.name} is selected")
    return sorted(without(names, options.exclude_namespace, "what is asked for")), absent


def _resume(asked: MigrateOptions, started: datetime) -> MigrationWork:
    store = open_store(asked.store)
    open_migration(store, asked.resume, ends=False)  # of one that is not there, no lease is made
    lease = MigrationLease(store, asked.resume, started.isoformat())
    try:
        # Only now: whoever had the lease before may have restored more of it.
        return _resumed(asked, open_migration(store, asked.resume), lease)
    except BaseException:
        lease.release()
        raise


def _resumed(asked: MigrateOptions, stored: StoredMigration, lease: MigrationLease) -> MigrationWork:
    if not asked.to_context:
        raise UsageError(f"name the target cluster of migration {asked.resume} again, with --to-context")
    here = asked.model_dump(include=HERE, exclude_defaults=True)
    known = from_store(stored.header.options, f"migration {asked.resume}")
    try:
        options = MigrateOptions.model_validate(known | here | {"store": asked.store})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        message = f"the options in its header are damaged: {first['msg']}"
        raise DamagedError(f"migration {asked.resume}: {message}") from None
    target = connect(options.to_context or None, options.kubeconfig or None)
    same_clusters(stored.header, target)
    if stored.source:
        return MigrationWork(options, stored, stored.source.namespaces, lease)
    cluster = connect(options.from_context or None, options.kubeconfig or None)
    if stored.header.origin:
        check_same(stored.header.origin, cluster, f"migration {asked.resume} is from", "--from-context")
    chosen, absent = _chosen(cluster, options)
    made = MigrationWork(options, stored, _names(options, chosen, absent), lease)
    made.absent = absent
    return made


def same_clusters(header: Header, target: Cluster) -> None:
    """Return if a cluster is the target of a migration.

    Raises:
        UsageError: it is another one.
        DamagedError: the migration does not say which.
    """
    if header.target is None:
        raise DamagedError(f"migration {header.name}: its header does not say to which cluster it goes")
    check_same(header.target, target, f"migration {header.name} goes to", "--to-context")


def backup_to_make(made: MigrationWork) -> str:
    """Return the name of the backup to create: the migration's, with a number if an earlier try left one unfinished."""
    store, attempt, name = open_store(made.options.store), 1, made.name
    while next(iter(store.list(BackupKeys(name).folder)), None) is not None:
        attempt += 1
        name = f"{made.name}.{attempt}"
    return name


@step("note what was backed up")
async def note_source(made: MigrationWork, backup: BackupResult | None) -> Source:
    """Write the source of the migration to the store; the source cluster is not read after this.

    Raises:
        UsageError: no requested namespace exists.
    """
    if backup is None:
        raise UsageError("; ".join(made.absent.values()))
    made_of = await in_thread(open_backup, open_store(made.options.store), backup.name)
    source = Source(
        backup=backup.name,
        manifest=made_of.summary.manifest_sha256 or "",
        cluster=backup.cluster,
        namespaces=made.names,
        absent=made.absent,
        unread=unread_of(backup.problems, made.names),
    )
    await in_thread(write_source, open_store(made.options.store), made.name, source)
    return source
