"""Decide whether an object is ready, waiting or failed, and why. Reads no cluster and no clock.

The order is that of kstatus (cli-utils, pkg/kstatus/status): deletion, a controller that lags behind, the standard
conditions Reconciling and Stalled, the kind's own rule, and for kinds that have none the condition Ready. What an
object refers to is not looked at: a Deployment with a missing Secret is `waiting`, because its pods are.

What `ready` means for each kind, in one phrase for a person. A test holds the table and the rules together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.core.kube.kinds import is_built_in
from kubeferry.tasks.core.kube.readiness.infrastructure import CLUSTER
from kubeferry.tasks.core.kube.readiness.verdict import (
    Context,
    Rule,
    Verdict,
    condition,
    failed,
    holds,
    ready,
    reason_in,
    status_of,
    waiting,
)
from kubeferry.tasks.core.kube.readiness.workloads import PODS, WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref


RULES: dict[tuple[str, str], Rule] = WORKLOADS | PODS | CLUSTER
"""(group, kind) → rule. A rule is asked only when its controller has seen the object's latest spec."""

NOTHING_SPECIAL = Context()


def verdict(obj: Object, now: datetime, context: Context = NOTHING_SPECIAL) -> Verdict:
    """Return whether `obj`, as it stands on its cluster at the aware time `now`, is ready.

    Never raises for a status of an unexpected shape: what cannot be understood is taken as not told.
    """
    early = _general(obj)
    if early:
        return early
    rule = RULES.get((group_of(obj["apiVersion"]), obj["kind"]))
    return rule(obj, now, context) if rule else _by_condition(obj)


def why_not_ready(obj: Object, now: datetime) -> str:
    """Return why an object is not ready, "" where it is or has no status, and so nothing to wait for."""
    state = verdict(obj, now) if "status" in obj else None
    return state.why if state and state.state != "ready" else ""


def _general(obj: Object) -> Verdict | None:
    """Return what holds for every kind, or None where the kind has to decide."""
    if obj["metadata"].get("deletionTimestamp"):
        return waiting("is being deleted")
    if _lags(status_of(obj).get("observedGeneration"), obj):
        return waiting("its controller has not seen the latest change yet")
    stalled, reconciling = condition(obj, "Stalled"), condition(obj, "Reconciling")
    if holds(stalled):
        return failed(reason_in(stalled, "is stalled"))
    if holds(reconciling):
        return waiting(reason_in(reconciling, "is being reconciled"))
    return None


def _lags(observed: object, obj: Object) -> bool:
    """Return whether a controller tells that it has seen another generation than the object's.

    Some write the number as a string, and old Argo Rollouts a hash in its place: what is no number tells nothing.
    """
    generation = obj["metadata"].get("generation")
    return str(observed).isdecimal() and generation is not None and int(str(observed)) != generation


def _by_condition(obj: Object) -> Verdict:
    """Judge a kind that we know nothing about by its condition Ready, if it has one."""
    told = condition(obj, "Ready")
    if not told:
        return ready("exists")
    if _lags(told.get("observedGeneration"), obj):
        return waiting("its Ready condition is older than its latest change")
    return ready(reason_in(told, "is Ready")) if holds(told) else waiting(reason_in(told, "is not Ready"))


READY_WHEN: Mapping[tuple[str, str], str] = {
    ("apps", "Deployment"): "all replicas are updated and available",
    ("apps", "StatefulSet"): "all replicas are updated and available",
    ("apps", "DaemonSet"): "every node that should run it has an available pod",
    ("apps", "ReplicaSet"): "all replicas are available",
    ("", "ReplicationController"): "all replicas are available",
    ("batch", "Job"): "it has started (or is complete, or suspended)",
    ("batch", "CronJob"): "it exists",
    ("", "Pod"): "its condition Ready is true",
    ("", "PersistentVolumeClaim"): "it is bound, unless that waits for its first pod",
    ("", "PersistentVolume"): "it is Available or Bound",
    ("", "Namespace"): "it is Active and has its account `default`",
    ("", "ResourceQuota"): "its use is counted",
    ("", "Secret"): "it exists (a service-account token: is issued)",
    ("", "Service"): "it exists",
    ("", "ServiceAccount"): "it exists",
    ("networking.k8s.io", "Ingress"): "it exists",
    ("extensions", "Ingress"): "it exists",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "it is established and its kind is served",
    ("apiregistration.k8s.io", "APIService"): "the API server can reach what serves it",
    ("autoscaling", "HorizontalPodAutoscaler"): "it exists",
    ("policy", "PodDisruptionBudget"): "it exists",
}

BUILT_IN = "it exists"
CUSTOM = "its condition Ready is true, if it has one"


def ready_when(ref: Ref) -> str:
    """Return what an object is waited for, after it was created."""
    return READY_WHEN.get((ref.group, ref.kind), BUILT_IN if is_built_in(ref.group) else CUSTOM)
