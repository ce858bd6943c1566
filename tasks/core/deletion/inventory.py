"""The objects that a deletion considers: their owners, the bundles they were created for, and their needs.

Contents are not kept. Objects are added one by one, in any order. An object with a controller has no needs of its own:
its controller has them. An object whose annotation or plug-in fails is reported and stays in the inventory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import KubeferryError
from kubeferry.tasks.core.formats.links import Links, links_of
from kubeferry.tasks.core.formats.reasons import Reason, ReasonCode
from kubeferry.tasks.core.formats.target.bundle import made_for
from kubeferry.tasks.core.graph.order import Edge, Strength
from kubeferry.tasks.core.kube.label_selectors import Requirement, selects
from kubeferry.tasks.core.kube.namespace_defaults import DEFAULT_ACCOUNT, NAMESPACE_DEFAULTS
from kubeferry.tasks.core.kube.objects import Ref, controller_of, labels_of, owners_of
from kubeferry.tasks.core.needs.annotations import NOTHING, Hints, hints_of
from kubeferry.tasks.core.needs.cluster_scoped import CRD
from kubeferry.tasks.core.needs.edges import needs_of
from kubeferry.tasks.core.needs.implicit import Implied
from kubeferry.tasks.core.needs.ownership import recreated_by
from kubeferry.tasks.core.needs.references.find import references
from kubeferry.tasks.core.selection.exclusions import EXCLUDING_LABELS, exclusion
from kubeferry.tasks.core.selection.policy import Policy

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.plugins.registry import Registry
    from kubeferry.tasks.core.selection.policy import ClusterContext

KEEP = Policy(completed_jobs=True)
"""A finished object, which no backup includes, is deleted with the rest."""


@dataclass(frozen=True, slots=True)
class InventoryItem:
    """One object."""

    ref: Ref
    uid: str
    created: str
    """creationTimestamp: RFC 3339 in UTC, to the second, so that strings compare like times."""
    owners: frozenset[str] = frozenset()
    """uids of its owners."""
    controlled: bool = False
    """Whether one of the owners is its controller."""
    made_for: frozenset[str] = frozenset()
    """uids of the bundles that it was created for (formats/target/bundle.py)."""
    finalizers: tuple[str, ...] = ()


class Inventory:
    """The objects read so far."""

    def __init__(self, rules: Registry, selector: tuple[Requirement, ...] = ()) -> None:
        """Start empty; `selector` is the requested selection, () for none."""
        self.rules, self.selector = rules, selector
        self.objects: dict[Ref, InventoryItem] = {}
        self.edges: list[Edge] = []
        self.hints: dict[Ref, Hints] = {}
        self.selected: set[Ref] = set()
        self.stays: dict[Ref, Reason] = {}
        """Why no backup includes an object."""
        self.unclear: dict[Ref, str] = {}
        """Needs that could not be read."""
        self.unread: dict[tuple[str, str], str] = {}
        """(group, kind) of which no objects could be read, with the reason; kind "" is the whole group."""
        self._implied = Implied()
        self._links: dict[Ref, Links] = {}

    def look(self, obj: Object, around: ClusterContext) -> None:
        """Add one live object."""
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
        # An object that is being deleted already is included: a previous run may have started that.
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
            if hints.invalid:
                self.unclear[ref] = f"{ref}: {hints.invalid[0]}"
            if (ref.group, ref.kind) != CRD:
                self._implied.look(obj)
        except KubeferryError as error:
            self.unclear[ref] = str(error)
            self.edges += [Edge(ref, each.target, Strength.REFERENCE, each.path) for each in named]

    def add(self, other: Inventory) -> None:
        """Add the objects of another inventory."""
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
        """Return why it is unknown whether an object exists, "" if it is known."""
        return self.unread.get((ref.group, ref.kind)) or self.unread.get((ref.group, "")) or ""

    def needs(self) -> list[Edge]:
        """Return the needs between objects, including those without a field: permissions of service accounts."""
        return [*self.edges, *self._implied.edges()]

    def controller(self, ref: Ref) -> Ref | None:
        """Return the live controller that would re-create an object, or None."""
        links = self._links.get(ref)
        return recreated_by(ref, links, self.objects, self.rules.makers) if links else None


def _alive(obj: Object) -> Object:
    meta = {key: value for key, value in obj["metadata"].items() if key != "deletionTimestamp"}
    return obj | {"metadata": meta}
