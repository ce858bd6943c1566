"""What a deletion knows of the objects of a cluster: who owns them, for whom they were made, what they need.

Contents are not kept. Collected object by object, in any order. An object that a controller keeps needs nothing by
itself: its controller tells. What cannot be read of an object, an annotation or by a plug-in, is told, and no reason
to give up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import KubeferryError
from kubeferry.tasks.core.formats.bundle import made_for
from kubeferry.tasks.core.formats.links import Links, links_of
from kubeferry.tasks.core.formats.reasons import Reason, ReasonCode
from kubeferry.tasks.core.graph.order import Edge, Strength
from kubeferry.tasks.core.kube.label_selectors import Requirement, selects
from kubeferry.tasks.core.kube.namespace_defaults import DEFAULT_ACCOUNT, NAMESPACE_DEFAULTS
from kubeferry.tasks.core.kube.objects import Ref, controller_of, labels_of, owners_of
from kubeferry.tasks.core.needs.annotations import NOTHING, Hints, hints_of
from kubeferry.tasks.core.needs.cluster_scoped import CRD
from kubeferry.tasks.core.needs.edges import needs_of
from kubeferry.tasks.core.needs.implicit import Implied
from kubeferry.tasks.core.needs.ownership import recreated_by
from kubeferry.tasks.core.needs.references import references
from kubeferry.tasks.core.selection.exclusions import EXCLUDING_LABELS, exclusion
from kubeferry.tasks.core.selection.policy import Policy

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.plugins.registry import Registry
    from kubeferry.tasks.core.selection.policy import ClusterContext

KEEP = Policy(completed_jobs=True)
"""What is finished and would not be saved is deleted with the rest."""


@dataclass(frozen=True, slots=True)
class InventoryItem:
    """One object."""

    ref: Ref
    uid: str
    created: str
    """creationTimestamp: RFC 3339 in UTC, to the second, so that texts compare as times do."""
    owners: frozenset[str] = frozenset()
    """uids of its owners."""
    controlled: bool = False
    """Whether one of them is its controller."""
    made_for: frozenset[str] = frozenset()
    """uids of the bundles that it was created for (bundle.py)."""
    finalizers: tuple[str, ...] = ()


class Inventory:
    """What was looked at so far."""

    def __init__(self, rules: Registry, selector: tuple[Requirement, ...] = ()) -> None:
        """Begin with nothing; `selector` says what is asked for, () for nothing."""
        self.rules, self.selector = rules, selector
        self.objects: dict[Ref, InventoryItem] = {}
        self.edges: list[Edge] = []
        self.hints: dict[Ref, Hints] = {}
        self.selected: set[Ref] = set()
        self.stays: dict[Ref, Reason] = {}
        """Why no backup would carry an object."""
        self.unclear: dict[Ref, str] = {}
        """What could not be read of an object's needs."""
        self.unread: dict[tuple[str, str], str] = {}
        """(group, kind) of which no objects could be read, with the reason; the kind is "" for a whole group."""
        self._implied = Implied()
        self._links: dict[Ref, Links] = {}

    def look(self, obj: Object, around: ClusterContext) -> None:
        """Take one live object into account."""
        meta, ref, links = obj["metadata"], Ref.of(obj), links_of(obj)
        self.objects[ref] = InventoryItem(
            ref,
            uid=meta["uid"],
            created=meta["creationTimestamp"],
            owners=frozenset(str(each["uid"]) for each in owners_of(obj)),
            controlled=controller_of(obj) is not None,
            made_for=made_for(obj),
            finalizers=tuple(map(str, meta.get("finalizers") or ())),
        )
        if links.owners:
            self._links[ref] = links
        if self.selector and selects(self.selector, labels_of(obj)):
            self.selected.add(ref)
        # What is being deleted already is deleted with the rest: that may have been begun by a run before.
        why = exclusion(_alive(obj), around, KEEP)
        if (ref.group, ref.kind, ref.name) == DEFAULT_ACCOUNT:
            made_by = NAMESPACE_DEFAULTS[DEFAULT_ACCOUNT].made_by
            self.stays[ref] = Reason(ReasonCode.NAMESPACE_DEFAULT, detail=made_by)
        elif why and why.code is not ReasonCode.FINISHED:
            self.stays[ref] = why
        if self.stays.get(ref) is None or any(labels_of(obj).get(label) == "true" for label in EXCLUDING_LABELS):
            self._need(obj, ref, links)

    def _need(self, obj: Object, ref: Ref, links: Links) -> None:
        named = list(references(obj))
        try:
            self.edges += needs_of(obj, named, links, self.rules)
            hints = hints_of(obj)
            if hints != NOTHING:
                self.hints[ref] = hints
            if (ref.group, ref.kind) != CRD:
                self._implied.look(obj)
        except KubeferryError as error:
            self.unclear[ref] = str(error)
            self.edges += [Edge(ref, each.target, Strength.REFERENCE, each.path) for each in named]

    def add(self, other: Inventory) -> None:
        """Take in what was collected of other objects."""
        self.objects |= other.objects
        self.edges += other.edges
        self.hints |= other.hints
        self.selected |= other.selected
        self.stays |= other.stays
        self.unclear |= other.unclear
        self.unread |= other.unread
        self._implied.add(other._implied)
        self._links |= other._links

    def why_unread(self, ref: Ref) -> str:
        """Return why it is not known whether an object is there, "" where it is known."""
        return self.unread.get((ref.group, ref.kind)) or self.unread.get((ref.group, "")) or ""

    def needs(self) -> list[Edge]:
        """Return who needs whom, also what no field tells: the rights of accounts."""
        return [*self.edges, *self._implied.edges()]

    def controller(self, ref: Ref) -> Ref | None:
        """Return the live controller that would make an object again, or None."""
        links = self._links.get(ref)
        return recreated_by(ref, links, self.objects, self.rules.makers) if links else None


def _alive(obj: Object) -> Object:
    meta = {key: value for key, value in obj["metadata"].items() if key != "deletionTimestamp"}
    return obj | {"metadata": meta}
