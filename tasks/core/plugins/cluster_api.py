"""Cluster API (cluster.x-k8s.io): a management namespace is restored as `clusterctl move` would have moved it.

- Clusters are created with `spec.paused: true`, ClusterClasses with the annotation `cluster.x-k8s.io/paused`, so that
  no controller creates machines or certificates while objects and owners are restored; at the end ClusterClasses are
  resumed, then Clusters.
- The whole ownership chain is restored: Cluster, control plane, MachineDeployment, MachineSet, Machine, bootstrap
  configs, infrastructure objects, their Secrets. A Machine that a MachineSet re-created would be a new machine.
- `block-move` annotations are dropped: they concern a moment of the source management cluster.

Nothing is refused, and nothing is deleted on the source: two management clusters must not reconcile the same Cluster,
so a user who restores a copy of a live original must pause one of them. Field managers (managedFields), which
`clusterctl move` preserves for objects of a topology, are not preserved. Source: cmd/clusterctl/client/cluster
(mover.go, objectgraph.go) and the CRDs of Cluster API's main branch in August 2026 (v1beta1, v1beta2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.graph.priorities import Priority
from kubeferry.tasks.core.jsondoc.edit import Object, group_of
from kubeferry.tasks.core.kube.objects import Ref, labels_of
from kubeferry.tasks.core.kube.readiness.verdict import (
    Context,
    Verdict,
    condition,
    holds,
    mapping,
    ready,
    reason_in,
    spec_of,
    waiting,
)
from kubeferry.tasks.core.plugins.interface import INTERFACE, Kind, Need, Pause, Plugin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

CORE = "cluster.x-k8s.io"
PAUSED = "cluster.x-k8s.io/paused"
CLUSTER_NAME = "cluster.x-k8s.io/cluster-name"
SECRET_TYPE = "cluster.x-k8s.io/secret"  # noqa: S105 - a type of Secrets, not a secret
CLUSTER: Kind = (CORE, "Cluster")
CLASS: Kind = (CORE, "ClusterClass")

GROUPS = (
    CORE,
    f"addons.{CORE}",
    f"bootstrap.{CORE}",
    f"controlplane.{CORE}",
    f"infrastructure.{CORE}",
    f"ipam.{CORE}",
)
"""The API groups of Cluster API, which its providers share."""

_BLOCK_MOVE = (("metadata", "annotations", "clusterctl.cluster.x-k8s.io/block-move"),)


def needs(obj: Object) -> Iterator[Need]:
    """Yield the Cluster that an object belongs to, and the ClusterClass of a Cluster.

    Fields that name templates and infrastructure have `kind` and `name`, so needs/references/custom.py finds them.
    """
    group, own = group_of(obj["apiVersion"]), Ref.of(obj)
    if (group, obj["kind"]) == CLUSTER:
        yield from _class_of(obj, own)
    elif group in GROUPS:
        yield from _cluster_of(obj, own)
    elif obj.get("type") == SECRET_TYPE and labels_of(obj).get(CLUSTER_NAME):
        # clusterctl calls this a soft owner: certificates that a user provides have no owner.
        yield Need(Ref(*CLUSTER, own.namespace, labels_of(obj)[CLUSTER_NAME]), f"metadata.labels.{CLUSTER_NAME}")


def _cluster_of(obj: Object, own: Ref) -> Iterator[Need]:
    field, label = spec_of(obj).get("clusterName"), labels_of(obj).get(CLUSTER_NAME)
    if isinstance(field, str) and field:
        yield Need(Ref(*CLUSTER, own.namespace, field), "spec.clusterName")
    elif isinstance(label, str) and label:
        yield Need(Ref(*CLUSTER, own.namespace, label), f"metadata.labels.{CLUSTER_NAME}")


def _class_of(obj: Object, own: Ref) -> Iterator[Need]:
    topology = mapping(spec_of(obj).get("topology"))
    named = mapping(topology.get("classRef"))
    for field, name, namespace in (
        ("spec.topology.classRef", named.get("name"), named.get("namespace")),
        ("spec.topology.class", topology.get("class"), topology.get("classNamespace")),
    ):
        if isinstance(name, str) and name:
            # As in clusterctl: the webhook of Clusters validates a topology only if its class exists.
            yield Need(Ref(*CLASS, str(namespace or own.namespace), name), field, first=True)


def settled(obj: Object, _now: datetime, _context: Context) -> Verdict:
    """Ready when paused, as all are until the end of the restore, else by the condition Available or Ready."""
    if spec_of(obj).get("paused") is True or holds(condition(obj, "Paused")):
        return ready("is paused")
    cond = condition(obj, "Available") or condition(obj, "Ready")
    if not cond:
        return ready("exists")
    return ready(reason_in(cond, "is available")) if holds(cond) else waiting(reason_in(cond, "is not available yet"))


RULES = Plugin(
    name="cluster-api",
    interface=INTERFACE,
    keep=frozenset((group, "*") for group in GROUPS),
    pause={
        CLASS: Pause({"metadata": {"annotations": {PAUSED: "true"}}}, turn=0),
        CLUSTER: Pause({"spec": {"paused": True}}, turn=1),
    },
    dynamic_fields={(group, "*"): _BLOCK_MOVE for group in GROUPS},
    phases={CLASS: Priority.CONFIG},
    readiness={(group, "*"): settled for group in GROUPS},
    needs=needs,
)
