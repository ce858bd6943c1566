"""What one object needs: the edges from it, by its fields, its owners, its annotations and what plug-ins know of it.

Bindings (bound.py) and what no field tells (implied.py) come on top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.links import owner_ref
from kubeferry.tasks.core.graph.order import Edge, Strength, Via
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.annotations import explicit_edges
from kubeferry.tasks.core.needs.references import starts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.formats.links import Links
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.needs.references import Reference
    from kubeferry.tasks.core.plugins.registry import Registry


def needs_of(obj: Object, named: Iterable[Reference], links: Links, rules: Registry) -> list[Edge]:
    """Return the edges from `obj`; whether what they lead to exists is not known here.

    `named` are its references (references.py), `links` its owners as the source had them: whether one has a namespace
    its reference does not tell, so there is an edge for both.

    Raises:
        AnnotationError: an annotation about its order cannot be read.
        PluginError: a plug-in failed.
    """
    ref = Ref.of(obj)
    return [
        *owner_edges(ref, links),
        *(Edge(ref, each.target, _strength(obj, each), each.path) for each in named),
        *explicit_edges(obj),
        *rules.edges(obj),
    ]


def owner_edges(ref: Ref, links: Links) -> list[Edge]:
    """Return the edges from an object to its owners, each in its namespace and cluster-wide."""
    owners = (owner_ref(owner, space) for space in dict.fromkeys((ref.namespace, "")) for owner in links.owners)
    return [Edge(ref, owner, Strength.OWNER, "metadata.ownerReferences", Via.OWNER) for owner in owners]


def controller_edges(ref: Ref, links: Links) -> list[Edge]:
    """Return the edges from an object to what controls it, in its namespace or cluster-wide."""
    return [
        Edge(ref, owner_ref(owner, space), Strength.OWNER, "metadata.ownerReferences", Via.OWNER)
        for space in dict.fromkeys((ref.namespace, ""))
        for owner in links.owners
        if owner.controller
    ]


def _strength(obj: Object, need: Reference) -> Strength:
    if need.vital:
        return Strength.EXPLICIT
    return Strength.START if starts(obj, need) else Strength.REFERENCE
