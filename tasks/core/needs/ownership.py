"""Which ownerReferences of the old cluster cannot be kept anywhere, and why.

A reference has no namespace: its owner stands in the namespace of the object, or in none. The garbage collector deletes
an object whose owner is not there, and an owner in another namespace is not there; one of a cluster-wide object that
is in a namespace can never be found (kubernetes.io: owners and dependents). An owner of the same name is no
substitute: it is the uid that says which object was meant. It refuses to guess where the source tells nothing.

Which owned objects are left to the controller that will make them again (design.md 7), and how owners are re-linked.

Only what a controller of Kubernetes itself remakes from its owner alone is in the table. What holds state (Secrets,
ConfigMaps, claims, custom resources) is restored even when owned.

`--owned keep` for what Kubernetes' own controllers adopt: it comes before its owner, which knows it by its labels.

A Deployment that finds no ReplicaSet of its template makes one at once, perhaps under the very name of the one that is
to be kept (pkg/controller/deployment/sync.go getNewReplicaSet); a StatefulSet and a DaemonSet likewise with their
ControllerRevisions. One that finds its own, orphaned, adopts them (pkg/controller/controller_ref_manager.go): no pod is
made twice, revisions keep their numbers, and a rollout can be undone as before. A ReplicaSet makes its pods without its
Deployment. Jobs are not adopted: they come after their CronJob, which is suspended until they are there.
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


IN_A_NAMESPACE = "is in a namespace, and owns nothing cluster-wide"


FORMER = "was another object of that name, which was gone already"


class Owners:
    """What is known of the source's objects: filled in any order, asked when all are in."""

    def __init__(self) -> None:
        self._at: dict[str, Ref] = {}
        self._uids: dict[Ref, str] = {}

    def add(self, ref: Ref, links: Links) -> None:
        """Take one object, saved or not."""
        if links.uid:
            self._at[links.uid] = ref
            self._uids[ref] = links.uid

    def refusal(self, child: Ref, owner: Owner) -> str:
        """Return what is wrong with an owner of an object, as the end of a sentence that begins with it; else ""."""
        found = self._at.get(owner.uid)
        if found is not None and found.namespace not in ("", child.namespace):
            return f"is in another namespace, {found.namespace}" if child.namespace else IN_A_NAMESPACE
        if not child.namespace and _has_namespace(owner):
            return IN_A_NAMESPACE
        others = (self._uids.get(owner_ref(owner, space)) for space in (child.namespace, ""))
        return FORMER if owner.uid and found is None and any(others) else ""


def _has_namespace(owner: Owner) -> bool:
    """Return whether objects of the owner's kind are in namespaces; False where the kind is not Kubernetes' own."""
    group = owner_ref(owner, "").group
    return GROUP_OF_KIND.get(owner.kind) == group and (group, owner.kind) not in CLUSTER_KINDS


def recreated_by(
    ref: Ref,
    links: Links,
    there: Container[Ref],
    makers: Callable[[tuple[str, str]], frozenset[tuple[str, str]]] = lambda kind: REBUILT.get(kind, frozenset()),
) -> Ref | None:
    """Return the controller that will make `ref` again, if that controller is itself among what is restored.

    `makers` tells which kinds of controllers make a kind again; `RuleBook.makers` knows those of plug-ins too.
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

    An owner without a uid is left out: a reference to a uid that does not exist makes the garbage collector delete the
    object (kubernetes.io: owners and dependents). `controller` and `blockOwnerDeletion` are kept as they were.
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
            yield Edge(edge.target, edge.source, Strength.EXPLICIT, WHY, Via.ADOPTION)
        else:
            yield edge


def dormant(obj: Object) -> bool:
    """Return whether an object that is adopted makes nothing: a former revision, whose needs may be gone."""
    return obj["kind"] == "ControllerRevision" or bool(get(obj, "spec", "replicas") == 0)
