"""`--owned keep` for what Kubernetes' own controllers adopt: it comes before its owner, which knows it by its labels.

A Deployment that finds no ReplicaSet of its template makes one at once, perhaps under the very name of the one that is
to be kept (pkg/controller/deployment/sync.go getNewReplicaSet); a StatefulSet and a DaemonSet likewise with their
ControllerRevisions. One that finds its own, orphaned, adopts them (pkg/controller/controller_ref_manager.go): no pod is
made twice, revisions keep their numbers, and a rollout can be undone as before. A ReplicaSet makes its pods without its
Deployment. Jobs are not adopted: they come after their CronJob, which is suspended until they are there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.graph.order import Edge, Strength
from kubeferry.tasks.core.jsondoc.edit import get

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref

ADOPTED: Mapping[tuple[str, str], frozenset[tuple[str, str]]] = {
    ("apps", "ReplicaSet"): frozenset({("apps", "Deployment")}),
    ("apps", "ControllerRevision"): frozenset({("apps", "StatefulSet"), ("apps", "DaemonSet")}),
}
"""(group, kind) → kinds of controllers that adopt such objects."""

SCHEDULED: Mapping[tuple[str, str], frozenset[tuple[str, str]]] = {
    ("batch", "Job"): frozenset({("batch", "CronJob")}),
}
"""(group, kind) → kinds of controllers that are suspended until such objects of theirs are there."""

WHY = "metadata.ownerReferences (it adopts what is there)"


def turned(edges: Iterable[Edge], adopters: Mapping[Ref, Ref]) -> Iterator[Edge]:
    """Yield edges with those from an object to its adopter turned round.

    Args:
        edges: who waits for whom.
        adopters: object → the controller that adopts it.
    """
    for edge in edges:
        if edge.strength is Strength.OWNER and adopters.get(edge.source) == edge.target:
            yield Edge(edge.target, edge.source, Strength.EXPLICIT, WHY)
        else:
            yield edge


def dormant(obj: Object) -> bool:
    """Return whether an object that is adopted makes nothing: a former revision, whose needs may be gone."""
    return obj["kind"] == "ControllerRevision" or bool(get(obj, "spec", "replicas") == 0)
