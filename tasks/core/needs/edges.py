"""The edges from one object: to what its fields, its owners, its annotations and plug-ins say that it needs.

Bindings (tasks/plan/bindings.py) and implicit dependencies (implicit.py) are added elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.links import owner_ref
from kubeferry.tasks.core.graph.order import Edge, Strength, Via
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.annotations import explicit_edges
from kubeferry.tasks.core.needs.references.find import starts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.formats.links import Links
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.needs.references.find import Reference
    from kubeferry.tasks.core.plugins.registry import Registry


def needs_of(obj: Object, named: Iterable[Reference], links: Links, rules: Registry) -> list[Edge]:
    """Return the edges from `obj`; whether their targets exist is not checked here.

    `named` are its references (references/find.py), `links` its owners on the source cluster. An ownerReference does
    not say whether the owner is namespaced, so there is an edge for both cases.

    Raises:
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
    """Return the edges from an object to its owners, each as namespaced and as cluster-scoped."""
    namespaces = dict.fromkeys((ref.namespace, ""))
    owners = (owner_ref(owner, namespace) for namespace in namespaces for owner in links.owners)
    return [Edge(ref, owner, Strength.OWNER, "metadata.ownerReferences", Via.OWNER) for owner in owners]


def controller_edges(ref: Ref, links: Links) -> list[Edge]:
    """Return the edges from an object to its controller, as namespaced and as cluster-scoped."""
    return [
        Edge(ref, owner_ref(owner, namespace), Strength.OWNER, "metadata.ownerReferences", Via.OWNER)
        for namespace in dict.fromkeys((ref.namespace, ""))
        for owner in links.owners
        if owner.controller
    ]


def _strength(obj: Object, need: Reference) -> Strength:
    if need.vital:
        return Strength.EXPLICIT
    return Strength.START if starts(obj, need) else Strength.REFERENCE
