"""Which objects of a cluster a backup does not have and would have if it were made now: those that were added.

What a controller makes again of an object that is there, and what no backup carries, is none of them. Of cluster-wide
objects it is what the namespaces need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.compare.diff import owned
from kubeferry.tasks.core.formats.links import links_of
from kubeferry.tasks.core.kube.objects import Ref, owners_of
from kubeferry.tasks.core.needs.cluster_scoped import Needs
from kubeferry.tasks.core.needs.outside import related
from kubeferry.tasks.core.needs.ownership import recreated_by
from kubeferry.tasks.core.needs.references.find import references
from kubeferry.tasks.core.selection.exclusions import exclusion
from kubeferry.tasks.core.selection.policy import ClusterContext
from kubeferry.tasks.core.selection.resource_types import words_for
from kubeferry.tasks.core.transform.strip.portable import strip
from kubeferry.tasks.diff.lists import spaces_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.diff.sides import DiffScope
    from kubeferry.tasks.plan.state import Plan, Source


@dataclass(frozen=True, slots=True)
class AddedObject:
    """A live object that the backup does not have."""

    ref: Ref
    kind: ResourceType
    live: Object


def added_objects(
    source: Source,
    plan: Plan,
    terms: DiffScope,
    seen: Iterable[AddedObject],
    there: Container[Ref],
    selecting: Mapping[str, frozenset[str]],
    changed: Iterable[Object],
) -> list[Object]:
    """Return, portable, the objects that were added.

    Args:
        source: the backup.
        plan: its objects, under the names that they have in the cluster.
        terms: what the backup would take.
        seen: the objects that it does not have.
        there: everything that the cluster has.
        selecting: namespace → names of its Services that have a selector.
        changed: objects that may need other cluster-wide ones than they did.
    """
    around: list[AddedObject] = []
    inside: list[AddedObject] = []
    spaces = spaces_of(plan)
    for each in seen:
        if not terms.takes(each.live, each.ref, words_for(each.kind)):
            continue
        if each.ref.namespace not in spaces:  # of other namespaces, where there are objects for these
            around.append(each)
            continue
        names = selecting.get(each.ref.namespace, frozenset())
        made = recreated_by(each.ref, links_of(each.live), there, source.rules.makers)
        if not (made or exclusion(each.live, ClusterContext(selecting_services=names))):
            inside.append(each)
    new = [_portable(source, each) for each in inside]
    needs = Needs(
        namespaces=spaces,
        kinds=frozenset((each.ref.group, each.ref.kind) for each in inside),
        objects=frozenset(each.target for obj in [*new, *changed] for each in references(obj)),
    )
    wanted = related((each.live for each in around), needs)
    return new + [_portable(source, each) for each in around if each.ref in wanted]


def _portable(source: Source, each: AddedObject) -> Object:
    return owned(source.rules.without_dynamic(strip(each.live)), owners_of(each.live))
