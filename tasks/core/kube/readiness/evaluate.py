"""Decide whether an object is ready, waiting or failed, and why; and describe what `ready` means for each kind.

The order is that of kstatus (cli-utils, pkg/kstatus/status): deletion, observedGeneration, the standard conditions
Reconciling and Stalled, the rule of the kind, and for kinds without a rule the condition Ready. Objects that an object
refers to are not looked at: a Deployment with a missing Secret is `waiting` because its pods are. No cluster and no
clock is read. A test keeps the table of phrases and the rules together.
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
"""(group, kind) → rule. A rule applies only once the controller has observed the latest generation."""

NOTHING_SPECIAL = Context()


def verdict(obj: Object, now: datetime, context: Context = NOTHING_SPECIAL) -> Verdict:
    """Return whether a live object is ready at the (timezone-aware) time `now`.

    A status of an unexpected shape raises nothing: what cannot be read counts as absent.
    """
    early = _general(obj)
    if early:
        return early
    rule = RULES.get((group_of(obj["apiVersion"]), obj["kind"]))
    return rule(obj, now, context) if rule else _by_condition(obj)


def why_not_ready(obj: Object, now: datetime) -> str:
    """Return why an object is not ready, "" if it is ready or has no status to wait for."""
    state = verdict(obj, now) if "status" in obj else None
    return state.why if state and state.state != "ready" else ""


def _general(obj: Object) -> Verdict | None:
    """Return the verdict that applies to every kind, or None if the rule of the kind decides."""
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
    """Return whether a controller reports another observedGeneration than the object's generation.

    Argo Rollouts write the number as a string, and old ones a hash, which may have only digits: what is not a number,
    and a string above the generation, which no controller can have seen yet, is ignored.
    """
    generation = obj["metadata"].get("generation")
    if not isinstance(generation, int) or isinstance(observed, bool):
        return False
    if isinstance(observed, str):
        return observed.isascii() and observed.isdecimal() and int(observed[:_DIGITS]) < generation
    return isinstance(observed, int) and observed != generation


_DIGITS = 19
"""Digits of the largest generation, an int64."""


def _by_condition(obj: Object) -> Verdict:
    """Judge a kind without a rule by its condition Ready, if it has one."""
    cond = condition(obj, "Ready")
    if not cond:
        return ready("exists")
    if _lags(cond.get("observedGeneration"), obj):
        return waiting("its Ready condition is older than its latest change")
    return ready(reason_in(cond, "is Ready")) if holds(cond) else waiting(reason_in(cond, "is not Ready"))


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
    ("", "Namespace"): "it is Active and has its ServiceAccount `default`",
    ("", "ResourceQuota"): "its usage is calculated",
    ("", "Secret"): "it exists (a service account token: is issued)",
    ("", "Service"): "it exists",
    ("", "ServiceAccount"): "it exists",
    ("networking.k8s.io", "Ingress"): "it exists",
    ("extensions", "Ingress"): "it exists",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "it is established and its kind is served",
    ("apiregistration.k8s.io", "APIService"): "the API server can reach its service",
    ("autoscaling", "HorizontalPodAutoscaler"): "it exists",
    ("policy", "PodDisruptionBudget"): "it exists",
}

BUILT_IN = "it exists"
CUSTOM = "its condition Ready is true, if it has one"


def ready_when(ref: Ref) -> str:
    """Return what a restore waits for after it created an object."""
    return READY_WHEN.get((ref.group, ref.kind), BUILT_IN if is_built_in(ref.group) else CUSTOM)
