"""When what makes pods is ready: Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Job, CronJob.

The rules of kstatus (cli-utils, pkg/kstatus/status/core.go), stricter where those are weak: an OnDelete StatefulSet
still needs its replicas, a paused Deployment and a suspended Job need nothing, and a refused pod (quota, admission) is
the reason that is shown instead of a bare count.

When a Pod is ready, and which of its troubles do not pass by waiting.

The rules of kstatus (cli-utils, pkg/kstatus/status/core.go, podConditions), and: init containers count, an image name
that cannot be right is a failure, a Job's Pod needs only to run, and gates are named.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from kubeferry.tasks.core.kube.objects import controller_of
from kubeferry.tasks.core.kube.readiness.verdict import (
    Context,
    Rule,
    Verdict,
    always,
    condition,
    count,
    failed,
    holds,
    mapping,
    maps,
    ready,
    reason_in,
    spec_of,
    status_of,
    waiting,
)

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object


def deployment(obj: Object, _now: datetime, _context: Context) -> Verdict:
    """Ready when all replicas are of the latest template and available, and no older one is left."""
    progressing = condition(obj, "Progressing")
    if spec_of(obj).get("paused"):
        return ready("is paused")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return failed(reason_in(progressing, "exceeded its progress deadline"))
    return (
        _unseen(obj)
        or _short(obj, ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"))
        or _available(obj)
    )


def stateful_set(obj: Object, _now: datetime, _context: Context) -> Verdict:
    """Ready when all replicas are available and, as far as its strategy updates them by itself, updated."""
    spec, status, wanted = spec_of(obj), status_of(obj), _wanted(obj)
    early = _unseen(obj) or _short(obj, ("replicas", "readyReplicas", "availableReplicas"))
    if early:
        return early
    strategy = mapping(spec.get("updateStrategy"))
    if strategy.get("type") == "OnDelete":
        return ready(f"{_of(wanted, wanted)} available, updated on delete")
    partition = count(mapping(strategy.get("rollingUpdate")).get("partition"))
    updated = count(status.get("updatedReplicas"))
    if partition:
        due = max(0, wanted - partition)
        told = f"{updated} of {due} replicas above the partition updated"
        return ready(told) if updated >= due else waiting(told)
    if status.get("currentRevision") != status.get("updateRevision"):
        return waiting(f"{_of(updated, wanted)} updated")
    return ready(f"{_of(wanted, wanted)} available")


def daemon_set(obj: Object, _now: datetime, _context: Context) -> Verdict:
    """Ready when every node that should run it has an available and, unless OnDelete, an updated pod."""
    status = status_of(obj)
    if "observedGeneration" not in status:
        return waiting("its controller has not seen it yet")
    fields = ["currentNumberScheduled", "updatedNumberScheduled", "numberReady", "numberAvailable"]
    if mapping(spec_of(obj).get("updateStrategy")).get("type") == "OnDelete":
        fields.remove("updatedNumberScheduled")
    desired = count(status.get("desiredNumberScheduled"))
    for field in fields:
        if count(status.get(field)) < desired:
            return waiting(f"{count(status.get(field))} of {desired} nodes {NAMES[field]}")
    return ready(f"{desired} of {desired} nodes available")


def replica_set(obj: Object, _now: datetime, _context: Context) -> Verdict:
    """Ready when all replicas are available and none is left over; a ReplicationController likewise."""
    fields = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas")
    return _unseen(obj) or _short(obj, fields) or ready(f"{_of(_wanted(obj), _wanted(obj))} available")


def job(obj: Object, _now: datetime, _context: Context) -> Verdict:
    """Ready when complete, suspended or started: a restore does not wait for the work to be done."""
    for kind in ("Failed", "FailureTarget"):
        if holds(condition(obj, kind)):
            return failed(reason_in(condition(obj, kind), "failed"))
    if holds(condition(obj, "Complete")):
        return ready("is complete")
    if spec_of(obj).get("suspend"):
        return ready("is suspended")
    return ready("has started") if status_of(obj).get("startTime") else waiting("has not started yet")


NAMES = {
    "replicas": "created",
    "fullyLabeledReplicas": "labelled",
    "updatedReplicas": "updated",
    "readyReplicas": "ready",
    "availableReplicas": "available",
    "currentNumberScheduled": "scheduled",
    "updatedNumberScheduled": "updated",
    "numberReady": "ready",
    "numberAvailable": "available",
}
"""A field of a status → what it counts, for a person."""


def _wanted(obj: Object) -> int:
    """Return `spec.replicas`, which is 1 where it is left out."""
    return count(spec_of(obj).get("replicas"), otherwise=1)


def _of(have: int, wanted: int) -> str:
    return f"{have} of {wanted} replicas"


def _unseen(obj: Object) -> Verdict | None:
    """Wait for a controller that always tells which generation it saw, and has not told one."""
    seen = "observedGeneration" in status_of(obj)
    return None if seen else waiting("its controller has not seen it yet")


def _short(obj: Object, fields: tuple[str, ...]) -> Verdict | None:
    """Wait while one of the counts is short of what is wanted, or while there are replicas too many."""
    wanted, status = _wanted(obj), status_of(obj)
    for field in fields:
        have = count(status.get(field))
        if have < wanted:
            refused = condition(obj, "ReplicaFailure")
            told = f"{_of(have, wanted)} {NAMES[field]}"
            return waiting(f"{told}: {reason_in(refused, 'pods are refused')}" if holds(refused) else told)
    extra = count(status.get("replicas")) - wanted
    return waiting(f"{extra} replicas too many are still there") if extra > 0 else None


def _available(obj: Object) -> Verdict:
    """Finish a Deployment whose counts are right by its condition Available."""
    told = condition(obj, "Available")
    if holds(told):
        return ready(f"{_of(_wanted(obj), _wanted(obj))} available")
    return waiting(reason_in(told, "is not Available yet"))


WORKLOADS: dict[tuple[str, str], Rule] = {
    ("apps", "Deployment"): deployment,
    ("apps", "StatefulSet"): stateful_set,
    ("apps", "DaemonSet"): daemon_set,
    ("apps", "ReplicaSet"): replica_set,
    ("", "ReplicationController"): replica_set,
    ("batch", "Job"): job,
    ("batch", "CronJob"): always("runs on its schedule"),
}


PATIENCE = timedelta(seconds=15)
"""How long a scheduler may find no node before that counts as a failure (kstatus: ScheduleWindow)."""

HOPELESS = frozenset({"CrashLoopBackOff", "InvalidImageName", "ErrImageNeverPull"})
"""Reasons of a waiting container that time does not mend."""

PULLING = frozenset({"ContainerCreating", "PodInitializing"})
"""Reasons of a waiting container that are no trouble at all."""


def pod(obj: Object, now: datetime, _context: Context) -> Verdict:
    """Ready when its condition Ready is True, when it succeeded, or when it works for a Job and runs."""
    phase = status_of(obj).get("phase")
    if phase == "Succeeded":
        return ready("has succeeded")
    if phase == "Failed":
        return failed(str(status_of(obj).get("message") or status_of(obj).get("reason") or "has failed"))
    if holds(condition(obj, "Ready")):
        return ready("is Ready")
    return _unplaced(obj, now) or _troubled(obj) or _unready(obj, phase)


def _unplaced(obj: Object, now: datetime) -> Verdict | None:
    """Judge a Pod that no node was found for."""
    placed = condition(obj, "PodScheduled")
    if placed.get("status") != "False":
        return None
    if placed.get("reason") == "SchedulingGated":
        return waiting(reason_in(placed, "its scheduling is gated"))
    told = reason_in(placed, "is not scheduled")
    late = placed.get("reason") == "Unschedulable" and _age(placed.get("lastTransitionTime"), now) > PATIENCE
    return failed(told) if late else waiting(told)


def _troubled(obj: Object) -> Verdict | None:
    """Judge a Pod by what its containers wait for; the first trouble is told."""
    status = status_of(obj)
    for each in maps(status.get("initContainerStatuses")) + maps(status.get("containerStatuses")):
        held = mapping(mapping(each.get("state")).get("waiting"))
        reason = held.get("reason")
        if reason and reason not in PULLING:
            told = f"container {each.get('name')}: {reason}" + (f": {held['message']}" if held.get("message") else "")
            return failed(told) if reason in HOPELESS else waiting(told)
    return None


def _unready(obj: Object, phase: object) -> Verdict:
    """Judge a Pod that is placed, without trouble, and not Ready."""
    controller = controller_of(obj) or {}
    if phase == "Running" and controller.get("kind") == "Job":
        return ready("works for its Job")
    return waiting(reason_in(condition(obj, "Ready"), f"is {phase or 'not seen by a node yet'}"))


def _age(since: object, now: datetime) -> timedelta:
    """Return how long before `now` an RFC 3339 time was; nothing for what is no time."""
    try:
        return now - datetime.fromisoformat(str(since))
    except (ValueError, TypeError):  # no time at all, or one without its zone
        return timedelta()


PODS: dict[tuple[str, str], Rule] = {("", "Pod"): pod}
