"""Undo a restore from its journal, alone in its namespaces."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.journal import TAKEN_BACK
from kubeferry.tasks.core.formats.layout import SEALED
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.models.results import TakenBack, UndoResult
from kubeferry.tasks.ports.archive.encryption import opener
from kubeferry.tasks.ports.cluster.leases import Hold, me
from kubeferry.tasks.ports.cluster.namespaces import there
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.records.journal import Journal
from kubeferry.tasks.ports.records.restores import open_restore
from kubeferry.tasks.ports.store.open import open_store
from kubeferry.tasks.restore.begin import same_cluster
from kubeferry.tasks.restore.rollback import take_back, told
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from datetime import datetime

    from kubeferry.tasks.core.models.options import UndoOptions
    from kubeferry.tasks.ports.cluster.client import Cluster
    from kubeferry.tasks.ports.records.restores import StoredRestore


@step("undo {options.restore}")
async def undo(options: UndoOptions, started: datetime) -> UndoResult:
    """Take back what a restore did.

    Raises:
        BackupNotFoundError: no restore of that name.
        UsageError: it was made on another cluster, or what it has replaced is encrypted and no identity opens it.
        PermanentError: it, or another one, is at work in its namespaces.
    """
    return await in_thread(_undo, options, started)


def _undo(options: UndoOptions, started: datetime) -> UndoResult:
    from kubeferry.tasks.ports.cluster.client import connect

    stored = open_restore(open_store(options.store), options.restore)
    cluster = connect(options.context or stored.header.target.context or None, options.kubeconfig or None)
    same_cluster(stored, cluster)
    if stored.state.end in TAKEN_BACK:
        return _result(stored, cluster, TakenBack(), started)
    hold = Hold(cluster, options.restore)
    try:
        hold.take(there(cluster, _spaces(stored)))
        return _result(stored, cluster, _taken(options, cluster), started)
    finally:
        hold.release()


def _taken(options: UndoOptions, cluster: Cluster) -> TakenBack:
    stored = open_restore(open_store(options.store), options.restore)  # read again, now that nobody else writes it
    by = opener(options.identities)
    for sealed in [each for each in stored.state.formers.values() if each.file.endswith(SEALED)][:1]:
        stored.former(sealed, by)  # a key that does not open it is told before anything is deleted
    journal = Journal(stored.store, stored.keys, stored.segments)
    try:
        journal.begin(f"undo by {me(options.restore)}")
        forced, seconds = options.force_finalizers, options.wait_seconds
        done = take_back(stored, cluster, journal, by, force_finalizers=forced, seconds=seconds)
        journal.end("Failed" if done.left else "Undone", told(done))
    finally:
        journal.close()
    return done


def _spaces(stored: StoredRestore) -> set[str]:
    state = stored.state
    return {ref.namespace for ref in (*state.created, *state.formers, *state.doubtful) if ref.namespace}


def _result(stored: StoredRestore, cluster: Cluster, done: TakenBack, started: datetime) -> UndoResult:
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
