"""Read a namespace as it is now, with what it needs around it: what a backup of it would look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.core import readiness_cluster
from tasks.core.carry import type_left_out
from tasks.core.objects import Ref
from tasks.core.references import CLUSTER_SCOPED, references
from tasks.core.related import CRD, Needs, related
from tasks.ports.threads import in_threads
from tasks.ports.transport import THREADS

if TYPE_CHECKING:
    from tasks.core.edit import Object
    from tasks.core.readiness import Context
    from tasks.core.resources import Discovery
    from tasks.ports.cluster import Cluster

NAMESPACE = ("", "Namespace")


@dataclass(frozen=True)
class Live:
    """A namespace of a cluster as it is now."""

    cluster: str
    namespace: str
    objects: dict[Ref, Object]
    """All in it but what no backup ever reads (Events…), itself, and what it needs of its cluster."""
    context: Context
    """What readiness has to know of the cluster."""


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
    """Return what readiness has to know of a cluster's storage classes."""
    kind = discovery.by_kind(*readiness_cluster.STORAGE_CLASS)
    classes = cluster.list(kind) if kind else []
    return readiness_cluster.context_of(classes)


def _inside(cluster: Cluster, discovery: Discovery, namespace: str) -> dict[Ref, Object]:
    kinds = [
        each for each in discovery.types if each.namespaced and not type_left_out(each.group, each.resource, each.verbs)
    ]
    lists = in_threads(lambda kind: cluster.list(kind, namespace), kinds, THREADS)
    return {Ref.of(obj): obj for found in lists for obj in found}


def _around(cluster: Cluster, discovery: Discovery) -> dict[Ref, Object]:
    kinds = [discovery.by_kind(*each) for each in sorted({*CLUSTER_SCOPED, NAMESPACE, CRD})]
    lists = in_threads(cluster.list, [kind for kind in kinds if kind], THREADS)
    return {Ref.of(obj): obj for found in lists for obj in found}
