"""Owners: which owned objects their controllers re-create, how owners are re-linked, and which cannot be.

An ownerReference has no namespace: the owner is in the namespace of the dependent, or cluster-scoped. The garbage
collector deletes an object whose owner does not exist there; a cluster-scoped object cannot have a namespaced owner
(kubernetes.io: owners and dependents). Another object with the owner's name is no substitute, since the uid identifies
the owner. Nothing is guessed about owners that the source does not show.

`--owned rebuild` leaves an object to its controller only if a built-in controller, or one that a plug-in names,
re-creates it from its owner alone (kube/kinds.py). What holds state (Secrets, ConfigMaps, claims, custom resources) is
restored even if it is owned.

`--owned keep` creates what a built-in controller adopts before its controller, which selects it by its labels. A
Deployment that finds no ReplicaSet of its template creates one at once, perhaps with the name of the one to keep
(pkg/controller/deployment/sync.go getNewReplicaSet); a StatefulSet and a DaemonSet do so with their
ControllerRevisions. One that finds its own, orphaned, adopts them (pkg/controller/controller_ref_manager.go): no pod is
created twice, revisions keep their numbers, and a rollout can be undone. A ReplicaSet creates its pods without its
Deployment. Jobs are not adopted: they come after their CronJob, which is suspended until they exist.

Claims that a StatefulSet owns (KEP-1847) are always created before it: else it makes them first, from its template,
without what they have become since. What belongs to one pod only, and is named or generated for it, is made anew with
the new pod: claims of its ephemeral volumes and ResourceClaims from a template. Such a claim that the new pod does not
own would block it (kubernetes.io: ephemeral volumes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.formats.links import owner_ref
from kubeferry.tasks.core.graph.order import Edge, Strength, Via
from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.kube.kinds import CLUSTER_KINDS, GROUP_OF_KIND, REBUILT

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping

    from kubeferry.tasks.core.formats.links import Links, Owner
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref


IN_A_NAMESPACE = "is namespaced and cannot own a cluster-scoped object"


FORMER = "was a previous object of the same name, deleted before the backup"


class Owners:
    """The uids of the source's objects: added in any order, queried when all are added."""

    def __init__(self) -> None:
        self._at: dict[str, Ref] = {}
        self._uids: dict[Ref, str] = {}

    def add(self, ref: Ref, links: Links) -> None:
        """Add one object, whether it is backed up or not."""
        if links.uid:
            self._at[links.uid] = ref
            self._uids[ref] = links.uid

    def refusal(self, child: Ref, owner: Owner) -> str:
        """Return why an owner is invalid, as a phrase that follows its name; "" if it is valid."""
        found = self._at.get(owner.uid)
        if found is not None and found.namespace not in ("", child.namespace):
            return f"is in another namespace, {found.namespace}" if child.namespace else IN_A_NAMESPACE
        if not child.namespace and _has_namespace(owner):
            return IN_A_NAMESPACE
        others = (self._uids.get(owner_ref(owner, namespace)) for namespace in (child.namespace, ""))
        return FORMER if owner.uid and found is None and any(others) else ""


def _has_namespace(owner: Owner) -> bool:
    """Return whether the owner's kind is namespaced; False for a custom resource, which is not known."""
    group = owner_ref(owner, "").group
    return GROUP_OF_KIND.get(owner.kind) == group and (group, owner.kind) not in CLUSTER_KINDS


def recreated_by(
    ref: Ref,
    links: Links,
    there: Container[Ref],
    makers: Callable[[tuple[str, str]], frozenset[tuple[str, str]]] = lambda kind: REBUILT.get(kind, frozenset()),
) -> Ref | None:
    """Return the owner whose controller re-creates `ref`, if that owner is itself in `there`, else None.

    `makers` maps a kind to the kinds of owners that re-create it; `Registry.makers` includes those of plug-ins.
    """
    kinds = makers((ref.group, ref.kind))
    for owner in links.owners:
        found = owner_ref(owner, ref.namespace)
        if owner.controller and (found.group, found.kind) in kinds and found in there:
            return found
    return None


def relinked(
    owners: Iterable[Owner], uid_of: Callable[[Owner], str | None]
) -> tuple[list[dict[str, Any]], list[Owner]]:
    """Return ownerReferences with the owners' new uids, and the owners that have none.

    An owner without a uid is omitted: the garbage collector deletes an object whose ownerReference has a uid that does
    not exist (kubernetes.io: owners and dependents). `controller` and `blockOwnerDeletion` are preserved.
    """
    references: list[dict[str, Any]] = []
    missing: list[Owner] = []
    for owner in owners:
        uid = uid_of(owner)
        if uid is None:
            missing.append(owner)
            continue
        reference = {"apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": uid}
        flags = {"controller": owner.controller, "blockOwnerDeletion": owner.block_owner_deletion}
        references.append(reference | {flag: value for flag, value in flags.items() if value is not None})
    return references, missing


ADOPTED: Mapping[tuple[str, str], frozenset[tuple[str, str]]] = {
    ("apps", "ReplicaSet"): frozenset({("apps", "Deployment")}),
    ("apps", "ControllerRevision"): frozenset({("apps", "StatefulSet"), ("apps", "DaemonSet")}),
}
"""(group, kind) → kinds of owners that adopt such objects."""

SCHEDULED: Mapping[tuple[str, str], frozenset[tuple[str, str]]] = {
    ("batch", "Job"): frozenset({("batch", "CronJob")}),
}
"""(group, kind) → kinds of owners that are suspended until such objects of theirs exist."""

WHY = "metadata.ownerReferences (it adopts existing objects)"

CLAIM = ("", "PersistentVolumeClaim")


def set_of(ref: Ref, links: Links) -> Ref | None:
    """Return the StatefulSet that owns a claim, by its retention policy; None for anything else.

    Until Kubernetes 1.31 such an owner is no controller.
    """
    if (ref.group, ref.kind) != CLAIM:
        return None
    owners = (owner_ref(each, ref.namespace) for each in links.owners)
    return next((each for each in owners if (each.group, each.kind) == ("apps", "StatefulSet")), None)


def pod_of(ref: Ref, links: Links) -> Ref | None:
    """Return the pod with which a claim goes and is made anew; None for anything else.

    The claim of an ephemeral volume is called POD-VOLUME. A StatefulSet gives a pod a claim of its template, called
    TEMPLATE-POD, while it scales down and means to delete it: what that holds is data.
    """
    for each in links.owners:
        pod = owner_ref(each, ref.namespace)
        if not each.controller or (pod.group, pod.kind) != ("", "Pod"):
            continue
        if (ref.group, ref.kind) == ("resource.k8s.io", "ResourceClaim"):
            return pod
        if (ref.group, ref.kind) == CLAIM and ref.name.startswith(f"{pod.name}-"):
            return pod
    return None


def turned(edges: Iterable[Edge], adopters: Mapping[Ref, Ref]) -> Iterator[Edge]:
    """Yield edges, those from an object to the controller that adopts it reversed.

    Args:
        edges: the edges between objects.
        adopters: object → the controller that adopts it.
    """
    for edge in edges:
        if edge.strength is Strength.OWNER and adopters.get(edge.source) == edge.target:
            yield Edge(edge.target, edge.source, Strength.EXPLICIT, WHY, Via.ADOPTION)
        else:
            yield edge


def dormant(obj: Object) -> bool:
    """Return whether an adopted object creates nothing: an old revision, whose dependencies may no longer exist."""
    return obj["kind"] == "ControllerRevision" or bool(get(obj, "spec", "replicas") == 0)
