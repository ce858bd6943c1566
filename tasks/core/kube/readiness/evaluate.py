"""Decide whether an object is ready, waiting or failed, and why. Reads no cluster and no clock.

The order is that of kstatus (cli-utils, pkg/kstatus/status): deletion, a controller that lags behind, the standard
conditions Reconciling and Stalled, the kind's own rule, and for kinds that have none the condition Ready. What an
object refers to is not looked at: a Deployment with a missing Secret is `waiting`, because its pods are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.core.kube.readiness.infrastructure import CLUSTER
from kubeferry.tasks.core.kube.readiness.readiness_pods import PODS
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
from kubeferry.tasks.core.kube.readiness.workloads import WORKLOADS

if TYPE_CHECKING:
    from datetime import datetime

    from kubeferry.tasks.core.jsondoc.edit import Object

__all__ = ["Context", "Verdict", "verdict", "why_not_ready"]

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
