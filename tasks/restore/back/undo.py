"""Undo a restore from its journal, alone in its namespaces; or only show what that would do."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.formats.journal import REVERTED
from kubeferry.tasks.core.formats.layout import SEALED
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.models.results import RollbackResult, UndoResult
from kubeferry.tasks.ports.archive.encryption import opener
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.cluster.identity import same_cluster
from kubeferry.tasks.ports.cluster.leases import Hold, me
from kubeferry.tasks.ports.cluster.namespaces import there
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.records.journal import Journal
from kubeferry.tasks.ports.records.restores import open_restore
from kubeferry.tasks.ports.store.open import open_store
from kubeferry.tasks.restore.back.rollback import Asked, Rollback, counts_line, roll_back
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from datetime import datetime

    from kubeferry.tasks.core.models.options import UndoOptions
    from kubeferry.tasks.ports.cluster.client import Cluster
    from kubeferry.tasks.ports.records.restores import StoredRestore


@step("undo {options.restore}")
async def undo(options: UndoOptions, started: datetime) -> UndoResult:
    """Roll back what a restore did.

    Raises:
        BackupNotFoundError: no restore of that name.
        UsageError: it was made on another cluster, or what it has replaced is encrypted and no identity opens it.
        PermanentError: it, or another one, is at work in its namespaces.
    """
    return await in_thread(_undo, options, started)


def look(options: UndoOptions) -> UndoResult:
    """Return what an undo would do; nothing is changed. Raises as `undo`."""
    started = clock.now()
    stored, cluster = _opened(options)
    if stored.state.end in REVERTED:
        return _result(stored, cluster, RollbackResult(), started).model_copy(update={"dry_run": True})
    found = Rollback(stored, cluster, opener(options.identities), _asked(options)).preview()
    result = _result(stored, cluster, RollbackResult(left=found.left), started)
    delete, restore = [str(each.ref) for each in found.members], [str(ref) for ref, _ in found.formers]
    return result.model_copy(
        update={
            "dry_run": True,
            "digest": _digest(stored),
            "to_delete": delete,
            "to_restore": restore,
        }
    )


def _opened(options: UndoOptions) -> tuple[StoredRestore, Cluster]:
    """Return a restore, and the operator's cluster if it is that of the restore. Raises as `undo`."""
    stored = open_restore(open_store(options.store), options.restore)
    cluster = connect(options.context or None, options.kubeconfig or None)
    same_cluster(stored.header, cluster)
    return stored, cluster


def _digest(stored: StoredRestore) -> str:
    """Return what tells whether the journal says the same as when it was shown."""
    state = stored.state
    lines = [f"{ref} {made.uid}" for ref, made in state.created.items()]
    lines += [
        f"{ref} {former.uid} {former.action} {former.file} {former.line}" for ref, former in state.formers.items()
    ]
    lines += map(str, state.doubtful)
    return hashlib.sha256("\n".join([stored.header.token, *sorted(lines)]).encode()).hexdigest()


def _asked(options: UndoOptions) -> Asked:
    return Asked(options.force_finalizers, options.wait_seconds, options.privileged, options.force, options.allow_plain)


def _undo(options: UndoOptions, started: datetime) -> UndoResult:
    if options.dry_run:
        return look(options)
    stored, cluster = _opened(options)
    if stored.state.end in REVERTED:
        return _result(stored, cluster, RollbackResult(), started)
    hold = Hold(cluster, options.restore)
    try:
        hold.take(there(cluster, _spaces(stored)))
        return _result(stored, cluster, _taken(options, cluster.guarded(hold.check)), started)
    finally:
        hold.release()


def _taken(options: UndoOptions, cluster: Cluster) -> RollbackResult:
    stored = open_restore(open_store(options.store), options.restore)  # read again, now that nobody else writes it
    if options.expect and options.expect != _digest(stored):
        raise PermanentError(f"restore {options.restore} has changed since it was shown: look again with --dry-run")
    by = opener(options.identities)
    for sealed in [each for each in stored.state.formers.values() if each.file.endswith(SEALED)][:1]:
        stored.former(sealed, by)  # a key that does not open it is reported before anything is deleted
    journal = Journal(stored.store, stored.keys, stored.segments)
    try:
        journal.begin(f"undo by {me(options.restore)}")
        done = roll_back(stored, cluster, journal, by, _asked(options))
        journal.end("Failed" if done.left else "Undone", counts_line(done))
    finally:
        journal.close()
    return done


def _spaces(stored: StoredRestore) -> set[str]:
    """Return all namespaces of the restore: it took a lease in each, also where it had no time to write anything."""
    return set(stored.header.namespaces.values())


def _result(stored: StoredRestore, cluster: Cluster, done: RollbackResult, started: datetime) -> UndoResult:
    refs = (*stored.state.created, *stored.state.formers)
    return UndoResult(
        name=stored.header.name,
        phase=Phase.PARTIAL if done.left else Phase.COMPLETED,
        store=stored.store.url,
        started=started,
        completed=clock.now(),
        counts=dict(sorted(Counter(ref.type for ref in refs).items())) if done.deleted or done.restored else {},
        backup=stored.header.backup,
        cluster=cluster.name,
        taken_back=done,
    )
