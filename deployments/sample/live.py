"""Read a namespace as it is now, with the cluster-scoped objects that it needs: what a backup of it would read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import NotFoundError
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.readiness import infrastructure
from kubeferry.tasks.core.needs.cluster_scoped import CRD, Needs
from kubeferry.tasks.core.needs.outside import related
from kubeferry.tasks.core.needs.references.fields import CLUSTER_SCOPED
from kubeferry.tasks.core.needs.references.find import references
from kubeferry.tasks.core.selection.exclusions import type_left_out
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local.threads import in_threads

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.readiness.verdict import Context
    from kubeferry.tasks.core.kube.resources import Discovery, ResourceType
    from kubeferry.tasks.ports.cluster.client import Cluster

NAMESPACE = ("", "Namespace")


@dataclass(frozen=True)
class Live:
    """A namespace of a cluster as it is now."""

    cluster: str
    namespace: str
    objects: dict[Ref, Object]
    """All objects in it except what no backup reads (Events…), the Namespace, and the cluster-scoped ones it needs."""
    context: Context
    """What readiness checks need to know of the cluster."""


def read(cluster: Cluster, namespace: str) -> Live:
    """Return a namespace as it is now."""
    discovery = cluster.discover()
    inside = _inside(cluster, discovery, namespace)
    needs = Needs(
        frozenset({namespace}),
        frozenset((ref.group, ref.kind) for ref in inside),
        frozenset(each.target for obj in inside.values() for each in references(obj)),
    )
    around = _around(cluster, discovery)
    wanted = related(around.values(), needs) | {Ref("", "Namespace", "", namespace)}
    found = inside | {ref: obj for ref, obj in around.items() if ref in wanted}
    return Live(cluster.name, namespace, found, context_of(cluster, discovery))


def context_of(cluster: Cluster, discovery: Discovery) -> Context:
    """Return what readiness checks need to know of a cluster: its storage classes."""
    kind = discovery.by_kind(*infrastructure.STORAGE_CLASS)
    classes = cluster.list(kind) if kind else []
    return infrastructure.context_of(classes)


def _inside(cluster: Cluster, discovery: Discovery, namespace: str) -> dict[Ref, Object]:
    kinds = [
        each for each in discovery.types if each.namespaced and not type_left_out(each.group, each.resource, each.verbs)
    ]
    lists = in_threads(lambda kind: _listed(cluster, kind, namespace), kinds, THREADS)
    return {Ref.of(obj): obj for found in lists for obj in found}


def _listed(cluster: Cluster, kind: ResourceType, namespace: str) -> list[Object]:
    """Return the objects of a kind; none where its definition was deleted since the kinds were listed."""
    try:
        return cluster.list(kind, namespace)
    except NotFoundError:
        return []


def _around(cluster: Cluster, discovery: Discovery) -> dict[Ref, Object]:
    kinds = [discovery.by_kind(*each) for each in sorted({*CLUSTER_SCOPED, NAMESPACE, CRD})]
    lists = in_threads(cluster.list, [kind for kind in kinds if kind], THREADS)
    return {Ref.of(obj): obj for found in lists for obj in found}
