"""Take a restore back, in reverse: delete what it created, give what it changed its former content again.

Everything is known from the journal, so that this works in the process that failed and in any other one later. It is
idempotent: what is rolled back already is found so.

Undo a restore from its journal, alone in its namespaces.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import AlreadyExistsError, ConflictError, InvalidError, KubeferryError, NotFoundError
from kubeferry.tasks.core.formats.journal import REVERTED, made_by
from kubeferry.tasks.core.formats.layout import SEALED
from kubeferry.tasks.core.formats.records import Action, Intent, Phase, Problem
from kubeferry.tasks.core.models.results import RollbackResult, UndoResult
from kubeferry.tasks.core.plan.existing import content, replacement, to_create_again
from kubeferry.tasks.delete.remove import SECONDS, Member, Removal
from kubeferry.tasks.ports.archive.encryption import opener
from kubeferry.tasks.ports.cluster.leases import Hold, me
from kubeferry.tasks.ports.cluster.namespaces import there
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import clock, progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.ports.records.journal import Journal
from kubeferry.tasks.ports.records.restores import open_restore
from kubeferry.tasks.ports.store.open import open_store
from kubeferry.tasks.restore.begin import same_cluster
from kubeferry.tasks.restore.bundle import list_members
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from datetime import datetime

    from kubeferry.tasks.core.formats.journal import Previous, State
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.kube.resources import Discovery
    from kubeferry.tasks.core.models.options import UndoOptions
    from kubeferry.tasks.plan.state import Plan, Source
    from kubeferry.tasks.ports.archive.encryption import Opener
    from kubeferry.tasks.ports.cluster.client import Cluster
    from kubeferry.tasks.ports.records.restores import StoredRestore
    from kubeferry.tasks.preflight.target import Target
    from kubeferry.tasks.restore.transaction import Transaction


AGAIN = (Intent.RECREATE, Intent.LINK)
"""Actions by which the former object was deleted, or may have been: it is created again, under a new uid."""


@dataclass
class _Done:
    deleted: list[Ref] = field(default_factory=list)
    restored: list[Ref] = field(default_factory=list)
    left: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

    def result(self) -> RollbackResult:
        return RollbackResult(deleted=len(self.deleted), restored=len(self.restored), left=self.left, notes=self.notes)


@step("roll back")
async def rollback(source: Source, plan: Plan, target: Target, transaction: Transaction) -> RollbackResult | None:
    """Roll back what a failed restore did, unless it was asked not to; None where there is nothing to roll back.

    It raises nothing: what cannot be rolled back is reported, and `undo` can try it again.
    """
    if not transaction.begun:
        return None
    return await in_thread(_rollback, source, plan, target, transaction)


def _rollback(source: Source, plan: Plan, target: Target, transaction: Transaction) -> RollbackResult | None:
    journal, keys = transaction.journal, transaction.journal.keys
    try:
        journal.flush()
        if not source.options.rollback:
            journal.end("Failed", "asked not to roll it back")
            _list(source, plan, target, transaction)
            return None
        if transaction.hold:
            transaction.hold.check()
        stored = open_restore(source.backup.store, keys.name)
        done = roll_back(stored, target.cluster(), journal, source.backup.opener)
        journal.end("Failed" if done.left else "RolledBack", counts_line(done))
    except KubeferryError as error:
        return RollbackResult(
            left=[Problem(what=f"restore {keys.name}", why=f"not rolled back, undo it later: {error}")]
        )
    return done


def _list(source: Source, plan: Plan, target: Target, transaction: Transaction) -> None:
    """List in the bundles what a failed restore leaves: it can be deleted by them too."""
    try:
        list_members(source, plan, target, transaction, "Failed")
    except KubeferryError as error:
        progress.note(f"bundle {source.name} does not list what was created: {error}")


def counts_line(done: RollbackResult) -> str:
    """Return in a line what was rolled back."""
    left = f", {len(done.left)} left" if done.left else ""
    return f"{done.deleted} deleted, {done.restored} restored{left}"


def roll_back(
    stored: StoredRestore,
    cluster: Cluster,
    journal: Journal,
    opener: Opener,
    *,
    force_finalizers: bool = False,
    seconds: int = SECONDS,
) -> RollbackResult:
    """Roll back what a journal records; write into it what was rolled back.

    `opener` opens former contents; `seconds` is how long the objects of one level may take to go.
    """
    return _Back(stored, cluster, journal, cluster.discover(), opener, force_finalizers, seconds).run().result()


@dataclass
class _Back:
    stored: StoredRestore
    cluster: Cluster
    journal: Journal
    discovery: Discovery
    opener: Opener
    force_finalizers: bool
    seconds: int
    done: _Done = field(default_factory=_Done)

    @property
    def state(self) -> State:
        return self.stored.state

    def run(self) -> _Done:
        title = f"roll back {self.stored.header.name}"
        formers: dict[int, list[tuple[Ref, Previous]]] = defaultdict(list)
        for ref, former in self.state.formers.items():
            formers[former.level].append((ref, former))
        members = [Member(made.level, ref, made.uid) for ref, made in self.state.created.items()]
        members += self._doubtful()
        removal = Removal(self.cluster, self.discovery, title, self.force_finalizers, self.seconds, after=self._deleted)
        # Objects that were changed come back when what is above them is gone, as they came.
        for level in sorted({each.level for each in members} | formers.keys(), reverse=True):
            removal.run([each for each in members if each.level == level])
            self._restore(level, formers.get(level, []))
            progress.step(
                title, len(self.done.deleted) + len(self.done.restored), len(members) + len(self.state.formers)
            )
        self.done.left += removal.removed.left
        self.done.notes += removal.removed.forced
        return self.done

    def _doubtful(self) -> list[Member]:
        """Return what was announced and is there, made by this restore: its answer, or the word on it, was lost."""
        found = in_threads(self._ours, sorted(self.state.doubtful), THREADS)
        return [each for each in found if each]

    def _ours(self, ref: Ref) -> Member | None:
        kind = self.discovery.by_kind(ref.group, ref.kind)
        live = self.cluster.find(kind, ref.namespace, ref.name) if kind else None
        if live is None or not made_by(live, self.stored.header.manager):
            return None
        return Member(self.state.doubtful[ref], ref, str(live["metadata"]["uid"]))

    def _deleted(self, level: int, gone: list[Member]) -> None:
        self.done.deleted += [each.ref for each in gone]
        self.journal.undid(Action.DELETED, level, {str(each.ref): each.uid for each in gone})

    # --- former contents

    def _restore(self, level: int, formers: list[tuple[Ref, Previous]]) -> None:
        back = [
            ref
            for ref in in_threads(lambda each: self._try(*each), sorted(formers, key=lambda each: each[0]), THREADS)
            if ref
        ]
        self.done.restored += back
        self.journal.undid(Action.RESTORED, level, {str(ref): "" for ref in back})

    def _try(self, ref: Ref, former: Previous) -> Ref | None:
        """Give one object its former content; return it, or note why that cannot be."""
        try:
            why = self._give_back(ref, former)
        except KubeferryError as error:
            why = str(error)
        if why:
            self.done.left.append(Problem(what=str(ref), why=why))
        return None if why else ref

    def _give_back(self, ref: Ref, former: Previous) -> str:
        kind = self.discovery.by_kind(ref.group, ref.kind)
        if kind is None:
            return "its kind is not served any more"
        body = self.stored.former(former, self.opener)
        live = self.cluster.find(kind, ref.namespace, ref.name)
        if live is None:
            return self._again(ref, body) if former.action in AGAIN else "was deleted by somebody since"
        if live["metadata"]["uid"] != former.uid:
            return "another object has that name now"
        if content(live) == content(body):
            return ""
        try:
            self.cluster.apply(kind, ref.namespace, content(body))
            live = self.cluster.get(kind, ref.namespace, ref.name)
            # Server-side apply leaves fields that another manager of ours has set: what is left over goes this way.
            if content(live) != content(body):
                self.cluster.replace(kind, ref.namespace, replacement(body, live))
        except (InvalidError, ConflictError, NotFoundError) as error:
            return f"cannot be given its former content: {error}"
        return ""

    def _again(self, ref: Ref, body: Object) -> str:
        kind = self.discovery.by_kind(ref.group, ref.kind)
        if kind is None:
            return "its kind is not served any more"
        try:
            self.cluster.create(kind, ref.namespace, to_create_again(body))
        except AlreadyExistsError:
            return "another object has that name now"
        self.done.notes.append(Problem(what=str(ref), why="was made again: it has a new uid"))
        return ""


@step("undo {options.restore}")
async def undo(options: UndoOptions, started: datetime) -> UndoResult:
    """Roll back what a restore did.

    Raises:
        BackupNotFoundError: no restore of that name.
        UsageError: it was made on another cluster, or what it has replaced is encrypted and no identity opens it.
        PermanentError: it, or another one, is at work in its namespaces.
    """
    return await in_thread(_undo, options, started)


def _undo(options: UndoOptions, started: datetime) -> UndoResult:
    from kubeferry.tasks.ports.cluster.client import connect

    stored = open_restore(open_store(options.store), options.restore)
    cluster = connect(options.context or None, options.kubeconfig or None)
    same_cluster(stored, cluster)
    if stored.state.end in REVERTED:
        return _result(stored, cluster, RollbackResult(), started)
    hold = Hold(cluster, options.restore)
    try:
        hold.take(there(cluster, _spaces(stored)))
        return _result(stored, cluster, _taken(options, cluster), started)
    finally:
        hold.release()


def _taken(options: UndoOptions, cluster: Cluster) -> RollbackResult:
    stored = open_restore(open_store(options.store), options.restore)  # read again, now that nobody else writes it
    by = opener(options.identities)
    for sealed in [each for each in stored.state.formers.values() if each.file.endswith(SEALED)][:1]:
        stored.former(sealed, by)  # a key that does not open it is reported before anything is deleted
    journal = Journal(stored.store, stored.keys, stored.segments)
    try:
        journal.begin(f"undo by {me(options.restore)}")
        forced, seconds = options.force_finalizers, options.wait_seconds
        done = roll_back(stored, cluster, journal, by, force_finalizers=forced, seconds=seconds)
        journal.end("Failed" if done.left else "Undone", counts_line(done))
    finally:
        journal.close()
    return done


def _spaces(stored: StoredRestore) -> set[str]:
    state = stored.state
    return {ref.namespace for ref in (*state.created, *state.formers, *state.doubtful) if ref.namespace}


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
