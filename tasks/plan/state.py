"""What is restored and what a restore will do: the archive and the plan, with no cluster."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from kubeferry.tasks.core.formats.journal import DEFINITIONS, NAMESPACES
from kubeferry.tasks.core.formats.links import owner_ref
from kubeferry.tasks.core.graph.order import Order
from kubeferry.tasks.core.kube.resources import defined
from kubeferry.tasks.core.needs.annotations import NOTHING, Hints
from kubeferry.tasks.core.needs.cluster_scoped import role_of
from kubeferry.tasks.core.needs.rollouts import Rollouts
from kubeferry.tasks.ports.archive.spool import Spool
from kubeferry.tasks.ports.local.plugins import installed

if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from pathlib import Path

    from kubeferry.tasks.core.formats.layout import Member
    from kubeferry.tasks.core.formats.links import Links
    from kubeferry.tasks.core.formats.losses import Loss
    from kubeferry.tasks.core.formats.records import LeftOut, Problem, Rewrite
    from kubeferry.tasks.core.graph.closure import Missing
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.lookup.bindings import Binding
    from kubeferry.tasks.core.models.options import RestoreOptions
    from kubeferry.tasks.core.plugins.registry import Registry
    from kubeferry.tasks.core.transform.rename.rewrite import Known
    from kubeferry.tasks.ports.archive.spool import Slot
    from kubeferry.tasks.ports.records.backups import StoredBackup


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
    elsewhere: bool = False
    """Whether it is of a namespace that the backup is not of: it is treated as a cluster-wide object."""
    whole: Slot | None = None
    """The object with the strings that come late; None where nothing does."""
    status: Slot | None = None
    """The status to write after the object is created; None for none."""
    status_left: bool = False
    """Whether it had a status, which is not restored."""
    finalizers: tuple[str, ...] = ()
    """The finalizers to give back when the object is ready, of controllers outside of Kubernetes."""
    was_bound: bool | None = None
    """Of a claim: whether it had a volume; None where the archive does not say it."""
    noted: tuple[Loss, ...] = ()
    """What the plan lists of it, if it is restored: places that still name an old namespace, how to wake it up."""
    lost: tuple[Loss, ...] = ()
    """What the plan leaves of an object that its archive holds live."""


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

    contents: Spool
    """The objects as they are to be created."""
    items: dict[Ref, Item] = field(default_factory=dict)
    definitions: list[Ref] = field(default_factory=list)
    namespaces: list[Ref] = field(default_factory=list)
    order: Order = field(default_factory=lambda: Order([]))
    left_out: list[LeftOut] = field(default_factory=list)
    rewrites: list[Rewrite] = field(default_factory=list)
    adopters: dict[Ref, Ref] = field(default_factory=dict)
    """Objects that come before their controller, which adopts them."""
    as_files: bool = False
    """The objects become files that people keep: what a rollout was at is not among them."""
    rollouts: Rollouts = field(default_factory=Rollouts)
    """Workloads whose rollout was under way."""
    older: dict[Ref, Ref] = field(default_factory=dict)
    """StatefulSets and DaemonSets that are created with the template of an older ControllerRevision, which is planned
    too."""
    scheduled: dict[Ref, list[Ref]] = field(default_factory=dict)
    """CronJobs whose Jobs are restored, too (--owned keep)."""
    wants: dict[Ref, set[Ref]] = field(default_factory=dict)
    """Cluster-scoped objects that fields of items name, each with the items that do."""
    impossible: list[str] = field(default_factory=list)
    """What cannot be carried out, one line each: preflight reports it before anything is written."""
    selection: str = ""
    """What was asked for of the backup, in one line; "" for all of it."""
    missing: list[Missing] = field(default_factory=list)
    """What objects need and what stays out because it was asked so."""
    warnings: list[Problem] = field(default_factory=list)
    """What was asked for and matches nothing."""

    problems: list[Problem] = field(default_factory=list)
    """What could not be done, though everything is there."""
    grants: list[Problem] = field(default_factory=list)
    """What it gives to others, or leaves out of that."""
    foreign: dict[Ref, list[Any]] = field(default_factory=dict)
    """ClusterRoleBindings with their subjects that are not restored, until the target is known."""
    losses: list[Loss] = field(default_factory=list)
    """What will not be as it was; preflight adds what it finds on the target."""
    retained: dict[Ref, str] = field(default_factory=dict)
    """Static volumes that come with the reclaim policy Retain, each with the policy that it had."""
    occupied: list[Problem] = field(default_factory=list)
    """Namespaces that the target had when it was looked at last, with who may read Secrets in them."""

    def names(self) -> dict[str, str]:
        """Return old → new name of every namespace in the plan."""
        return {ref.source.name: ref.ref.name for ref in (self.items[each] for each in self.namespaces)}

    def spaces(self) -> dict[str, str]:
        """Return old → new name of every namespace that the plan restores, in the plan itself or there before."""
        inside = {
            item.source.namespace: ref.namespace
            for ref, item in self.items.items()
            if ref.namespace and not item.elsewhere
        }
        return inside | self.names()

    def defined(self) -> dict[tuple[str, str], Ref]:
        """Return (group, kind) → the CRD of the plan that defines it."""
        kinds = ((defined(self.contents.read(self.items[ref].slot)), ref) for ref in self.definitions)
        return {(kind.group, kind.kind): ref for kind, ref in kinds}

    @property
    def elsewhere(self) -> set[Ref]:
        """Return the objects of namespaces that are not restored."""
        return {ref for ref, item in self.items.items() if item.elsewhere}

    def shared(self, ref: Ref) -> bool:
        """Return whether an object is from outside of the namespaces: what is there of it stays as it is."""
        return not ref.namespace or (ref in self.items and self.items[ref].elsewhere)

    def roles_elsewhere(self) -> dict[Ref, Ref]:
        """Return the bindings in other namespaces to Roles there, each with its Role."""
        given = {ref: role_of(self.contents.read(self.items[ref].slot)) for ref in sorted(self.elsewhere)}
        return {ref: role for ref, role in given.items() if role.kind == "Role"}

    def edit(self, item: Item, edit: Callable[[Object], Object]) -> None:
        """Change a planned object, and its whole where values of it come late."""
        item.slot = self.contents.append(orjson.dumps(edit(self.contents.read(item.slot))))
        if item.whole:
            item.whole = self.contents.append(orjson.dumps(edit(self.contents.read(item.whole))))

    def remove(self, refs: Container[Ref], *, renumber: bool = True) -> None:
        """Take objects out of the plan; what needs them is not looked at.

        With `renumber`, levels without an object go as well, and those after them get lower numbers.
        """
        self.items = {ref: item for ref, item in self.items.items() if ref not in refs}
        self.namespaces = [ref for ref in self.namespaces if ref not in refs]
        self.definitions = [ref for ref in self.definitions if ref not in refs]
        levels = [[ref for ref in level if ref not in refs] for level in self.order.levels]
        self.order = replace(self.order, levels=[level for level in levels if level or not renumber])
        self.foreign = {ref: some for ref, some in self.foreign.items() if ref not in refs}
        wants = {target: {user for user in users if user not in refs} for target, users in self.wants.items()}
        self.wants = {target: users for target, users in wants.items() if users}
        self.__dict__.pop("level_of", None)
        self.__dict__.pop("owned", None)

    def level(self, ref: Ref) -> int:
        """Return the level that an object is written in; namespaces and CRDs come before level 1."""
        return self.level_of[ref]

    @cached_property
    def level_of(self) -> dict[Ref, int]:
        """The level of each object of the plan, once that is made."""
        first = dict.fromkeys(self.namespaces, NAMESPACES) | dict.fromkeys(self.definitions, DEFINITIONS)
        later = ((ref, number) for number, level in enumerate(self.order.levels, start=1) for ref in level)
        return first | dict(later)

    @cached_property
    def owned(self) -> dict[Ref, list[Ref]]:
        """Owner → the objects that name it, but for those that their controller makes again."""
        found: dict[Ref, list[Ref]] = {}
        for ref, item in self.items.items():
            for owner in item.links.owners if ref not in self.adopters else ():
                for namespace in {ref.namespace, ""}:
                    found.setdefault(owner_ref(owner, namespace), []).append(ref)
        return found

    def place(self, ref: Ref, level: int) -> None:
        """Give what is not in the plan a level of its own."""
        self.level_of.setdefault(ref, level)


class Source:
    """What is restored, and from where: the archive, spooled; it knows no target.

    A plain class on purpose, as the others of a restore: Prefect looks into dataclasses, lists and maps that a step is
    given, and here would walk through every object of every level. It holds places in the spool, no contents.
    """

    def __init__(
        self,
        options: RestoreOptions,
        name: str,
        work: Path,
        backup: StoredBackup,
        archive: Spool | None = None,
        rules: Registry | None = None,
    ) -> None:
        """Begin; an `archive` that is given is shared with others, who close it."""
        self.options = options
        self.name = name
        """Of the restore; a plan alone has one, too."""
        self.work = work
        self.backup = backup
        self.proof = backup.summary.manifest_sha256 or ""
        """What tells the backup from another one of its name; of an archive without a manifest when it is here."""
        self.archived: list[Archived] = []
        self.archive = archive or Spool(work / "archive.spool")
        self._shares = archive is not None
        self.company: Company | None = None
        """Other restores of the same migration."""
        self.rules = rules or installed()

    def __repr__(self) -> str:
        """Return the name: Prefect shows it where it shows parameters."""
        return f"restore {self.name}"

    def plan(self) -> Plan:
        """Return a plan with nothing in it yet; its contents are spooled beside the archive."""
        return Plan(Spool(self.work / "planned.spool"))

    def close(self) -> None:
        """Close the spool, unless others share it; the folder is deleted by who made it."""
        if not self._shares:
            self.archive.close()
