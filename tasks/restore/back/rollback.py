"""Take a restore back, in reverse: delete what it created, give what it changed its former content again.

Everything is known from the journal, so that this works in the process that failed and in any other one later. It is
idempotent: what is rolled back already is found so. The journal is in a store, which may say anything: each live object
has to prove that it is this restore's (core/plan/reversal.py).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import KubeferryError
from kubeferry.tasks.core.formats.journal import Previous, made_by
from kubeferry.tasks.core.formats.records import Action, Problem
from kubeferry.tasks.core.formats.target.bundle import BUNDLES
from kubeferry.tasks.core.kube.kinds import NAMESPACE
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import OnFailure
from kubeferry.tasks.core.models.results import RollbackResult
from kubeferry.tasks.core.plan.reversal import Mandate
from kubeferry.tasks.delete.remove import SECONDS, Member, Removal
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.ports.records.restores import open_restore
from kubeferry.tasks.restore.back.formers import Formers
from kubeferry.tasks.restore.back.owners import Owners
from kubeferry.tasks.restore.bundle import list_members
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from kubeferry.tasks.core.formats.journal import State
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import Discovery
    from kubeferry.tasks.plan.state import Plan, Source
    from kubeferry.tasks.ports.archive.encryption import Opener
    from kubeferry.tasks.ports.cluster.client import Cluster
    from kubeferry.tasks.ports.records.journal import Journal
    from kubeferry.tasks.ports.records.restores import StoredRestore
    from kubeferry.tasks.preflight.target import Target
    from kubeferry.tasks.restore.transaction import Transaction


FEW = 20
"""Up to this many objects of a kind in a namespace are read one by one."""


@dataclass
class _Done:
    deleted: list[Ref] = field(default_factory=list)
    restored: list[Ref] = field(default_factory=list)
    left: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

    def result(self) -> RollbackResult:
        return RollbackResult(deleted=len(self.deleted), restored=len(self.restored), left=self.left, notes=self.notes)


def _around(ref: Ref) -> str:
    """Return the namespace whose objects go with an object: that of a bundle, or the object itself; "" for none."""
    if (ref.group, ref.kind) == NAMESPACE:
        return ref.name
    return ref.namespace if (ref.group, ref.kind) == (BUNDLES.group, BUNDLES.kind) else ""


def _by_level() -> dict[int, list[tuple[Ref, Previous]]]:
    return defaultdict(list)


def _problems(ref: Ref, why: str) -> list[Problem]:
    return [Problem(what=str(ref), why=why)] if why else []


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
        if source.options.on_failure is not OnFailure.ROLLBACK and not transaction.refused:
            journal.end("Failed", "asked not to roll it back")
            _list(source, plan, target, transaction)
            return None
        if transaction.hold:
            transaction.hold.check()
        stored = open_restore(source.backup.store, keys.name)
        done = roll_back(stored, target.cluster(), journal, source.backup.opener, Asked(announced=journal.announced))
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
    return f"{done.deleted} deleted, {done.restored} restored" + (f", {len(done.left)} left" if done.left else "")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a rollback was asked for, and what it may do."""

    force_finalizers: bool = False
    seconds: int = SECONDS
    """How long the objects of one level may take to go."""
    privileged: bool = False
    force: bool = False
    allow_plain: bool = True
    """Whether to give back what was kept in the clear, although there are keys."""
    announced: Collection[str] = ()
    """What this process announced itself."""


def roll_back(
    stored: StoredRestore, cluster: Cluster, journal: Journal, opener: Opener, asked: Asked
) -> RollbackResult:
    """Roll back what a journal records; write into it what was rolled back. `opener` opens former contents."""
    return Rollback(stored, cluster, opener, asked, journal).run().result()


@dataclass(frozen=True)
class Reverting:
    """What is to be reverted, as the live objects are now."""

    members: list[Member]
    """What is to be deleted."""
    formers: list[tuple[Ref, Previous]]
    """What is to get its former content."""
    left: list[Problem]
    """What is not reverted, and why."""


class Rollback:
    """The rollback of one restore."""

    def __init__(
        self,
        stored: StoredRestore,
        cluster: Cluster,
        opener: Opener,
        asked: Asked,
        journal: Journal | None = None,
    ) -> None:
        """Change nothing yet; without a journal it can only `look`."""
        self.stored, self.cluster, self.opener, self.asked = stored, cluster, opener, asked
        self._journal = journal
        self.discovery: Discovery = cluster.discover()
        spaces = frozenset(stored.header.namespaces.values())
        self.mandate = Mandate(
            stored.header.manager,
            spaces,
            stored.header.name,
            self._bundles(spaces),
            asked.privileged,
            asked.force,
            asked.announced,
            frozenset(stored.header.elsewhere),
        )
        self.done = _Done()
        self._owners = Owners(cluster, self.discovery)
        self._formers = Formers(
            stored,
            cluster,
            self.discovery,
            self.mandate,
            opener,
            self._owners,
            journal,
            asked.allow_plain,
            asked.seconds,
            notes=self.done.notes,
        )

    @property
    def journal(self) -> Journal:
        """Return the journal in which it writes what it reverts."""
        if self._journal is None:
            raise AssertionError("a rollback that looks only has no journal")
        return self._journal

    def _bundles(self, spaces: Iterable[str]) -> dict[str, str]:
        """Return the live bundles of some namespaces, uid → name."""
        if self.discovery.by_kind(BUNDLES.group, BUNDLES.kind) is None:
            return {}
        found = in_threads(lambda space: self.cluster.list(BUNDLES, space), sorted(spaces), THREADS)
        return {str(each["metadata"]["uid"]): str(each["metadata"]["name"]) for some in found for each in some}

    def look(self) -> Reverting:
        """Return what would be reverted; nothing is changed."""
        state = self.state
        asked = [(ref, made.uid, made.level) for ref, made in state.created.items()]
        asked += [(ref, "", level) for ref, level in state.doubtful.items()]
        there = self._there([ref for ref, _, _ in asked])
        members, left, stays = list[Member](), list[Problem](), dict[str, Ref]()
        for ref, uid, level in asked:
            live = there.get(ref)
            if live is None or (uid and live["metadata"]["uid"] != uid):
                out = self.mandate.out_of_reach(ref)
                members += [Member(level, ref, uid)] if uid and not out else []  # its deletion finds out what to say
                left += _problems(ref, out) if live and uid else []
                continue
            why = self.mandate.why_not(ref, live)
            if not uid and why and not made_by(live, self.mandate.manager):
                continue  # it was announced, and somebody else's is there
            members += [] if why else [Member(level, ref, str(live["metadata"]["uid"]))]
            left += _problems(ref, why)
            if why and ref.namespace:
                stays.setdefault(ref.namespace, ref)
        for each in [each for each in members if _around(each.ref) in stays]:
            members.remove(each)  # the garbage collector would take what stays with its bundle, or with its namespace
            left += _problems(each.ref, f"stays with {stays[_around(each.ref)]}")
        formers = []
        for ref, former in state.formers.items():
            why = self.mandate.out_of_reach(ref)
            left += _problems(ref, why)
            formers += [] if why else [(ref, former)]
        return Reverting(members, formers, left)

    def _there(self, refs: Iterable[Ref]) -> dict[Ref, Object]:
        """Return those of some objects that are there; many of a kind in a namespace are read by one LIST."""
        places: dict[tuple[str, str, str], list[Ref]] = defaultdict(list)
        for ref in refs:
            places[ref.group, ref.kind, ref.namespace].append(ref)
        found = in_threads(self._read, list(places.values()), THREADS)
        return {ref: obj for some in found for ref, obj in some.items()}

    def _read(self, refs: list[Ref]) -> dict[Ref, Object]:
        """Return those that are there of some objects of one kind in one namespace."""
        if len(refs) <= FEW:
            return {ref: obj for ref in refs if (obj := self._find(ref)) is not None}
        kind, asked = self.discovery.by_kind(refs[0].group, refs[0].kind), set(refs)
        listed = self.cluster.list(kind, refs[0].namespace) if kind else []
        what = {"apiVersion": kind.api_version, "kind": kind.kind} if kind else {}
        named = {Ref(refs[0].group, refs[0].kind, refs[0].namespace, obj["metadata"]["name"]): obj for obj in listed}
        return {ref: what | obj for ref, obj in named.items() if ref in asked}

    def _find(self, ref: Ref) -> Object | None:
        kind = self.discovery.by_kind(ref.group, ref.kind)
        return self.cluster.find(kind, ref.namespace, ref.name) if kind else None

    @property
    def state(self) -> State:
        """Return what the journal says."""
        return self.stored.state

    def run(self) -> _Done:
        """Revert what may be reverted; return what was done."""
        title, seen, asked = f"roll back {self.stored.header.name}", self.look(), self.asked
        members, formers = seen.members, _by_level()
        for ref, former in seen.formers:
            formers[former.level].append((ref, former))
        self.done.left += seen.left
        removal = Removal(
            self.cluster, self.discovery, title, asked.force_finalizers, asked.seconds, after=self._deleted
        )
        # Objects that were changed come back when what is above them is gone, as they came.
        for level in sorted({each.level for each in members} | formers.keys(), reverse=True):
            removal.run([each for each in members if each.level == level])
            self._restore(level, formers.get(level, []))
            progress.step(title, len(self.done.deleted) + len(self.done.restored), len(members) + len(seen.formers))
        self._relink(dict(seen.formers))
        self.done.left += removal.removed.left
        self.done.notes += removal.removed.forced
        return self.done

    def _deleted(self, level: int, gone: list[Member]) -> None:
        self.done.deleted += [each.ref for each in gone]
        self._formers.taken.update(each.ref for each in gone)
        self.journal.undid(Action.DELETED, level, {str(each.ref): each.uid for each in gone})

    # --- former contents

    def _restore(self, level: int, formers: list[tuple[Ref, Previous]]) -> None:
        tried = in_threads(lambda each: self._try(*each), sorted(formers, key=lambda each: each[0]), THREADS)
        back = [ref for ref in tried if ref and not self._owners.awaited(ref)]
        self.done.restored += back
        self.journal.undid(Action.RESTORED, level, {str(ref): "" for ref in back})

    def _relink(self, formers: dict[Ref, Previous]) -> None:
        for ref, why in self._owners.relink():
            self.done.left += _problems(ref, why)
            if not why:
                self.done.restored.append(ref)
                self.journal.undid(Action.RESTORED, formers[ref].level, {str(ref): ""})

    def _try(self, ref: Ref, former: Previous) -> Ref | None:
        """Give one object its former content; return it, or note why that cannot be."""
        try:
            why = self._formers.give_back(ref, former)
        except KubeferryError as error:
            why = str(error)
        if why:
            self.done.left.append(Problem(what=str(ref), why=why))
        return None if why else ref

    def preview(self) -> Reverting:
        """Return what would be reverted, and what would be left; nothing is changed."""
        seen = self.look()
        self._formers.taken.update(each.ref for each in seen.members)
        found = in_threads(lambda each: (each, self._formers.why_not(*each)), seen.formers, THREADS)
        formers, left = list[tuple[Ref, Previous]](), list(seen.left)
        for each, why in found:
            left += _problems(each[0], why)
            formers += [] if why else [each]
        return Reverting(seen.members, formers, left)
