"""What the steps of one restore share: the archive, the plan, and what the target answered so far.

A plain class on purpose: Prefect looks into dataclasses, lists and maps that a step is given, and here would walk
through every object of every level. It holds identities and places in the spool, no contents and no clients.
"""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.formats.bundle import maker
from kubeferry.tasks.core.formats.journal import DEFINITIONS, NAMESPACES
from kubeferry.tasks.core.formats.records import MADE, Action, ActionTaken, Intent, Rewrite
from kubeferry.tasks.core.graph.order import Order
from kubeferry.tasks.core.kube.readiness.verdict import Context
from kubeferry.tasks.core.needs.annotations import NOTHING, Hints
from kubeferry.tasks.ports.archive.spool import Spool
from kubeferry.tasks.ports.cluster.cached import CachedTarget
from kubeferry.tasks.ports.cluster.cancellation import Cancellation
from kubeferry.tasks.ports.local.plugins import installed

if TYPE_CHECKING:
    from pathlib import Path

    from kubeferry.tasks.core.formats.layout import Member
    from kubeferry.tasks.core.formats.links import Links
    from kubeferry.tasks.core.formats.records import LeftOut, Problem
    from kubeferry.tasks.core.graph.closure import Missing
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.kube.resources import Discovery
    from kubeferry.tasks.core.lookup.bindings import Binding
    from kubeferry.tasks.core.lookup.chain import Chain
    from kubeferry.tasks.core.models.options import RestoreOptions
    from kubeferry.tasks.core.plugins.registry import Paused, Registry
    from kubeferry.tasks.core.transform.rename.rewrite import Known
    from kubeferry.tasks.ports.archive.spool import Slot
    from kubeferry.tasks.ports.cluster.client import Cluster
    from kubeferry.tasks.ports.cluster.leases import Hold
    from kubeferry.tasks.ports.records.backups import StoredBackup
    from kubeferry.tasks.ports.records.journal import Journal
    from kubeferry.tasks.ports.records.restores import StoredRestore


@dataclass(frozen=True, slots=True)
class Archived:
    """One object of the archive, where its bytes are spooled."""

    member: Member
    slot: Slot


@dataclass(slots=True)
class Item:
    """One object to restore: under its target identity, with what ties it to others."""

    ref: Ref
    source: Ref
    api_version: str
    slot: Slot
    links: Links
    not_ready: str = ""
    """Why it was not ready when it was backed up; such an object is not waited for."""
    unowned: tuple[str, ...] = ()
    """Owners of the source that it cannot have anywhere, each with the reason."""
    why: str = ""
    """Why it is restored: selected, or needed by what is."""
    hints: Hints = NOTHING
    """What its annotations say about its turn."""
    bindings: tuple[Binding, ...] = ()
    """Uses of values that the old cluster handed out, under the target's identities."""
    late: tuple[Binding, ...] = ()
    """Those of them whose value is known only after the object is created."""
    modified: tuple[str, ...] = ()
    """JSON pointers of what the options modified of it."""
    whole: Slot | None = None
    """The object with the strings that come late; None where nothing does."""


@dataclass(frozen=True, slots=True)
class Company:
    """What a restore has to know of those that are made at the same time, of other namespaces of the same backup."""

    names: dict[str, str]
    """Old name to new name of all namespaces that are restored."""
    known: Known
    """What the whole backup holds: its own archive is only a part of it."""
    whole: bool = False
    """Whether all of its archive is restored, needed by anything in it or not."""


@dataclass
class Plan:
    """What a restore will do: items by target identity, CRDs apart (they come first), levels, and what stays out."""

    items: dict[Ref, Item] = field(default_factory=dict)
    definitions: list[Ref] = field(default_factory=list)
    namespaces: list[Ref] = field(default_factory=list)
    order: Order = field(default_factory=lambda: Order([]))
    left_out: list[LeftOut] = field(default_factory=list)
    rewrites: list[Rewrite] = field(default_factory=list)
    adopters: dict[Ref, Ref] = field(default_factory=dict)
    """Objects that come before their controller, which adopts them (--owned keep)."""
    scheduled: dict[Ref, list[Ref]] = field(default_factory=dict)
    """CronJobs whose Jobs are restored, too (--owned keep)."""
    wants: dict[Ref, set[Ref]] = field(default_factory=dict)
    """Cluster-scoped objects that fields of items name, each with the items that do."""
    impossible: list[str] = field(default_factory=list)
    """What cannot be carried out, one line each: told by preflight before anything is written."""
    selection: str = ""
    """What was asked for of the backup, in one line; "" for all of it."""
    missing: list[Missing] = field(default_factory=list)
    """What objects need and what stays out because it was asked so."""
    warnings: list[Problem] = field(default_factory=list)
    """What was asked for and matches nothing."""


class Restoring:
    """One restore under way; safe to report to from many threads."""

    def __init__(  # noqa: PLR0915 - a line for each thing to begin with
        self,
        options: RestoreOptions,
        name: str,
        work: Path,
        backup: StoredBackup,
        archive: Spool | None = None,
        rules: Registry | None = None,
    ) -> None:
        """Begin; nothing is planned yet. An `archive` that is given is shared with others, who close it."""
        self.options = options
        self.name = name
        self.work = work
        self.backup = backup
        self.archived: list[Archived] = []
        self.archive = archive or Spool(work / "archive.spool")
        self._shares = archive is not None
        self.company: Company | None = None
        """Other restores of the same migration."""
        self.asked = CachedTarget(self.target)
        self.planned = Spool(work / "planned.spool")
        self.plan = Plan()
        self.discovery: Discovery
        self.context = Context()
        self.rules = rules or installed()
        self.paused: dict[Ref, Paused] = {}
        """Objects that were created paused, until everything is there."""
        self.uids: dict[Ref, str] = {}
        """Target identity → uid on the target, of every object that is there now."""
        self.settled: set[Ref] = set()
        """Objects that were ready when they were created; kinds of which nothing is known are never among them."""
        self.values: dict[Chain, str] = {}
        """Chains that were followed on the target, with what was found."""
        self.rewrites: list[Rewrite] = []
        """Values that were written in place of the old cluster's."""
        self.actions: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.notable: list[ActionTaken] = []
        self.not_ready: list[Problem] = []
        self.spaces: dict[str, Object | None] = {}
        """Namespaces of the target as the last look before the first write found them; None for one that is not."""
        self.old_namespaces: set[str] = set()
        """Namespaces that the target had before: objects may be there already."""
        self.pending: list[Ref] = []
        """Objects whose owner did not exist yet: re-linked at the end."""
        self.journal: Journal
        """Opened before the first write; a plan alone has none."""
        self.manager = ""
        """The field manager of what this restore creates, by which it knows its own (journal.py)."""
        self.resumed: StoredRestore | None = None
        """What an earlier process did of this restore, where this one goes on."""
        self.made: set[Ref] = set()
        """Objects that this restore created, now or before it was resumed."""
        self.bundles: dict[str, str] = {}
        """Namespace of the target → uid of the bundle that owns what is created in it."""
        self.bundle_of_all = ""
        """The uid of the only bundle, which lists what is cluster-wide too; "" where there are many, or none."""
        self.members: dict[Ref, str] = {}
        """What was created where nothing was, with its uid: what a bundle lists."""
        self.stopping = Cancellation()
        """Set in the end: what still waits in a thread then, since the run was cancelled, waits no longer."""
        self.hold: Hold | None = None
        """The leases of the target's namespaces."""
        self._lock = Lock()

    def __repr__(self) -> str:
        """Return the name: Prefect shows it where it shows parameters."""
        return f"restore {self.name}"

    def target(self) -> Cluster:
        """Return the target cluster; a plan alone asks for none, and is made without the client."""
        from kubeferry.tasks.ports.cluster.client import connect

        return connect(self.options.context or None, self.options.kubeconfig or None)

    def close(self) -> bool:
        """Close the journal and the spools, let the leases go; the folder is deleted by who made it.

        Returns:
            Whether it was stopped midway, and what it did stays.
        """
        self.stopping.set()
        if self.hold:
            self.hold.release()
        stopped = self.begun and self.journal.close()
        if not self._shares:
            self.archive.close()
        self.planned.close()
        return stopped

    def check(self) -> None:
        """Return unless the run was stopped.

        Raises:
            PermanentError: it was; a thread that is still at work ends by it.
        """
        if self.stopping.is_set():
            raise PermanentError(f"restore {self.name} was stopped")

    def names(self) -> dict[str, str]:
        """Return old → new name of every namespace in the plan."""
        return {ref.source.name: ref.ref.name for ref in (self.plan.items[each] for each in self.plan.namespaces)}

    @cached_property
    def token(self) -> str:
        """What tells this restore from any other of its name, however often its beginning is tried."""
        return secrets.token_hex(6)

    @property
    def begun(self) -> bool:
        """Return whether anything may have been written to the target."""
        return hasattr(self, "journal")

    def level(self, ref: Ref) -> int:
        """Return the level that an object is written in; namespaces and CRDs come before level 1."""
        return self.level_of[ref]

    @cached_property
    def problems(self) -> list[Problem]:
        """What could not be done, though everything is there."""
        return []

    @cached_property
    def held(self) -> dict[Chain, str]:
        """Chains that were followed on the target, with the uid of the object that gave the value."""
        return {}

    @cached_property
    def level_of(self) -> dict[Ref, int]:
        """The level of each object of the plan, once that is made."""
        first = dict.fromkeys(self.plan.namespaces, NAMESPACES) | dict.fromkeys(self.plan.definitions, DEFINITIONS)
        later = ((ref, number) for number, level in enumerate(self.plan.order.levels, start=1) for ref in level)
        return first | dict(later)

    def place(self, ref: Ref, level: int) -> None:
        """Give what is not in the plan a level of its own."""
        self.level_of.setdefault(ref, level)

    def bundle_of(self, ref: Ref) -> str:
        """Return the uid of the bundle that lists an object when it is created, "" where none does.

        Namespaces and CRDs, which are there before, belong to none.
        """
        if ref.namespace:
            return self.bundles.get(ref.namespace, "")
        return self.bundle_of_all if self.level(ref) > DEFINITIONS else ""

    def maker(self, ref: Ref) -> str:
        """Return the field manager to create an object with: it tells its restore, and its bundle."""
        uid = self.bundle_of(ref)
        return maker(self.manager, uid) if uid else self.manager

    def keep(self, ref: Ref, intent: Intent, live: Object) -> None:
        """Keep what an object of others is before it is changed; what this restore made has no former content."""
        if ref not in self.made:
            self.journal.keep(self.level(ref), intent, ref, live)

    def done(self, ref: Ref, uid: str, action: Action, why: str = "") -> None:
        """Note what was done with one object, in the journal too."""
        self.journal.did(self.level(ref), action, ref, uid)
        self.note(ref, uid, action, why)

    def note(self, ref: Ref, uid: str, action: Action, why: str = "") -> None:
        """Note what was done with one object, which the journal knows already."""
        with self._lock:
            self.uids[ref] = uid
            if action in MADE:
                self.made.add(ref)
            if action == Action.CREATED:
                self.members[ref] = uid
            self.counts[ref.type] += 1
            self.actions[action] += 1
            if action != Action.CREATED or why:
                self.notable.append(
                    ActionTaken(type=ref.type, namespace=ref.namespace, name=ref.name, action=action, why=why)
                )
