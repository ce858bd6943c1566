"""The inventory of a store: its backups by series, whether they are good, and leftovers of unfinished ones."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import BackupNotFoundError, DamagedError, KeyMissingError, UsageError
from kubeferry.tasks.core.formats.journal import REVERTED
from kubeferry.tasks.core.formats.layout import RESTORES, ROOT, BackupKeys, MigrationKeys, check_name
from kubeferry.tasks.core.formats.manifest import UNKNOWN, named, series_of
from kubeferry.tasks.core.formats.records import Phase, Problem
from kubeferry.tasks.core.ops.retention import Candidate
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.ports.records.backups import StoredBackup, open_backup
from kubeferry.tasks.ports.records.migrations import open_migration
from kubeferry.tasks.ports.records.reservations import WRITING, read_mark
from kubeferry.tasks.ports.records.restores import open_restore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kubeferry.tasks.ports.records.migrations import StoredMigration
    from kubeferry.tasks.ports.records.restores import StoredRestore
    from kubeferry.tasks.ports.store.base import Entry, Store

THREADS = 8
RESUMABLE = timedelta(days=7)
"""Time for which a backup is kept for a restore of it that is in progress or was interrupted."""

FINISHED = (*Phase, "FailedValidation")
"""Phases of backups that are not in progress; Velero has others."""

Files = dict[str, dict[str, "Entry"]]
"""Name → key → file."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A backup of the store that may be pruned."""

    candidate: Candidate
    backup: StoredBackup
    stamp: str
    bytes: int
    flaw: str = ""
    """Why it is not good although its phase is Completed."""


@dataclass
class Inventory:
    """The content of a store under `backups/`."""

    found: dict[str, Stored] = field(default_factory=dict)
    leftovers: dict[str, int] = field(default_factory=dict)
    """Leftovers of half-deleted backups and dead uploads: name → bytes."""
    busy: list[Problem] = field(default_factory=list)
    """Backups that another run works on, or may work on."""
    problems: list[Problem] = field(default_factory=list)
    """Backups that cannot be read, and are not touched."""


def files_below(store: Store, root: str) -> Files:
    """Return the files of each folder in the folder `root`."""
    found: Files = defaultdict(dict)
    for entry in store.list(f"{root}/"):
        name, slash, _ = entry.key.removeprefix(f"{root}/").partition("/")
        if slash:
            found[name][entry.key] = entry
    return dict(found)


def inventory(store: Store, *, velero: bool) -> Inventory:
    """Return the inventory of a store; with `velero` also the backups of Velero."""
    content = Inventory()
    files = files_below(store, ROOT)
    for name, looked in in_threads(lambda name: (name, _look(store, name, files[name])), sorted(files), THREADS):
        if isinstance(looked, Stored):
            if velero or looked.backup.manifest:
                content.found[name] = looked
        elif isinstance(looked, Exception):
            content.problems.append(Problem(what=f"backup {name}", why=str(looked)))
        elif looked:
            content.busy.append(Problem(what=f"backup {name}", why=looked))
        elif velero or _is_ours(files[name]):
            content.leftovers[name] = _size(files[name])
    _join_earlier(content.found)
    return content


def _join_earlier(found: dict[str, Stored]) -> None:
    """Put backups that do not say which deployment made them into the series of the one that asks for the same.

    With several such deployments, or none, they are taken for backups without one.
    """
    known: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for each in found.values():
        *asked, deployment = each.candidate.series
        if deployment != UNKNOWN:
            known[tuple(asked)].add(deployment)
    for name, each in found.items():
        *asked, deployment = each.candidate.series
        if deployment == UNKNOWN:
            those = known[tuple(asked)]
            series = (*asked, next(iter(those)) if len(those) == 1 else "")
            found[name] = replace(each, candidate=replace(each.candidate, series=series))


def _size(files: Mapping[str, Entry]) -> int:
    return sum(each.size for each in files.values())


def _is_ours(files: Iterable[str]) -> bool:
    return any(key.rpartition("/")[2].startswith("kubeferry-") for key in files)


def _look(store: Store, name: str, files: dict[str, Entry]) -> Stored | DamagedError | str:
    """Return a backup; or the error if it cannot be read; or who works on it; or "" for leftovers."""
    try:
        keys = BackupKeys(check_name(name))
    except UsageError as error:
        return DamagedError(str(error))
    try:
        return _stored(store, keys, files)
    except BackupNotFoundError:
        return _at_work(store, keys, files)
    except DamagedError as error:
        return error


def _at_work(store: Store, keys: BackupKeys, files: dict[str, Entry]) -> str:
    last = max(each.modified for each in files.values())
    reservation = read_mark(store, keys)
    if reservation is None:  # without a reservation: a writer such as Velero gets the same time
        return "" if clock.now() - last > WRITING else "it may be being written"
    if reservation.gone(last, clock.now()):
        return ""
    return "another run is deleting it" if reservation.deletes else "it is being written"


def _stored(store: Store, keys: BackupKeys, files: dict[str, Entry]) -> Stored | DamagedError | str:
    backup = open_backup(store, keys.name)
    summary = backup.summary
    if summary.phase not in FINISHED:
        return f"it is not finished: its phase is {summary.phase}"
    started = _moment(summary.started)
    if started is None:
        return DamagedError(f"backup {keys.name}: velero-backup.json has no start time")
    flaw = _flaw(backup, files)
    if flaw:  # or the backup was finished since the store was listed
        flaw = _flaw(backup, {each.key: each for each in store.list(keys.folder)})
    candidate = Candidate(
        keys.name,
        _series(backup),
        started,
        good=summary.phase == Phase.COMPLETED and not flaw,
        expires=_moment(summary.expires),
        created=backup.manifest.created if backup.manifest else None,
    )
    return Stored(candidate, backup, stamp_of(store, keys), _size(files), flaw)


def stamp_of(store: Store, keys: BackupKeys) -> str:
    """Return what identifies a backup: the digest of its Backup object; "" if it is gone.

    The Backup object has the manifest's digest, which has those of all files: a new backup has another one.
    """
    try:
        return hashlib.sha256(store.get(keys.metadata)).hexdigest()
    except KeyMissingError:
        return ""


def _flaw(backup: StoredBackup, files: Mapping[str, Entry]) -> str:
    """Return which file of a backup is missing or has the wrong size, without reading the files."""
    if backup.manifest is None:
        return "" if backup.keys.tarball in files else "its archive is missing"
    for key, wanted in backup.manifest.files.items():
        if key not in files:
            return f"{key} is missing"
        if files[key].size != wanted.size:
            return f"{key} does not have the size in the manifest"
    return ""


def _series(backup: StoredBackup) -> tuple[str, ...]:
    """Return what all backups of a series have in common: `series_of`; for Velero's, what their Backup asks for."""
    summary = backup.summary
    if backup.manifest is not None:
        return series_of(backup.manifest)
    return ("velero", named(summary.namespaces), summary.choice if summary.choice != "{}" else "", summary.schedule)


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


# --- restores


def ends(found: StoredRestore) -> bool:
    """Return whether a restore has ended, so that there is nothing to resume."""
    return found.state.end in ("Completed", *REVERTED)


def under_way(store: Store, files: Files) -> dict[str, str]:
    """Return backup → the restore or migration of the last days that may be resumed from it."""
    recent = [name for name, some in files.items() if clock.now() - _last(some) <= RESUMABLE]
    found = {}
    for stored in in_threads(lambda name: opened(store, name), recent, THREADS):
        if stored and not ends(stored):
            found[stored.header.backup] = f"restore {stored.header.name}"
    for name in recent:
        if MigrationKeys(name).source in files[name] and (backup := _migrated(store, name)):
            found[backup] = f"migration {name}"
    return found


def _migrated(store: Store, name: str) -> str:
    """Return the backup of a migration with unfinished namespaces, "" if it is done."""
    try:
        stored = open_migration(store, name)
    except (BackupNotFoundError, DamagedError, UsageError):
        return ""
    missing = stored.source and [each for each in stored.source.namespaces if not _done(stored, each)]
    return stored.source.backup if stored.source and missing else ""


def _done(stored: StoredMigration, namespace: str) -> bool:
    return namespace in stored.ends and stored.ends[namespace].done


def opened(store: Store, name: str) -> StoredRestore | None:
    """Return the records of a restore, None if they cannot be read or are Velero's."""
    try:
        return open_restore(store, name)
    except (BackupNotFoundError, DamagedError, UsageError):
        return None


def _last(files: Mapping[str, Entry]) -> datetime:
    return max(each.modified for each in files.values())


def old_restores(files: Files, before: datetime) -> list[str]:
    """Return the restores without a write since `before`."""
    return sorted(name for name, some in files.items() if _last(some) < before)


def restore_files(store: Store) -> Files:
    """Return the files of each restore, of Kubeferry and Velero."""
    return files_below(store, RESTORES)
