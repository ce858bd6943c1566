"""When workloads are ready: Pods, and the kinds whose controllers create Pods (Deployment, Job and so on).

The rules are those of kstatus (cli-utils, pkg/kstatus/status/core.go), with these differences. A StatefulSet with
OnDelete still needs its replicas; a paused Deployment and a suspended Job need nothing. If pods are refused (quota,
admission), that reason is shown and not only a count. Of a Pod init containers count, an invalid image name is a
failure, a Job's Pod only needs to run, and scheduling gates are named.
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
    """Ready when all replicas have the latest template and are available, and no old replica is left."""
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
    """Ready when all replicas are available and, as far as its strategy updates them, updated."""
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
        text = f"{updated} of {due} replicas above the partition updated"
        return ready(text) if updated >= due else waiting(text)
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
    """Ready when all replicas are available and there is no surplus; a ReplicationController likewise."""
    fields = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas")
    return _unseen(obj) or _short(obj, fields) or ready(f"{_of(_wanted(obj), _wanted(obj))} available")


def job(obj: Object, _now: datetime, _context: Context) -> Verdict:
    """Ready when complete, suspended or started: a restore does not wait for completion."""
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
"""A field of a status → what it counts, as shown."""


def _wanted(obj: Object) -> int:
    """Return `spec.replicas`, which defaults to 1."""
    return count(spec_of(obj).get("replicas"), otherwise=1)


def _of(have: int, wanted: int) -> str:
    return f"{have} of {wanted} replicas"


def _unseen(obj: Object) -> Verdict | None:
    """Wait for a controller that always sets observedGeneration and has not done so yet."""
    seen = "observedGeneration" in status_of(obj)
    return None if seen else waiting("its controller has not seen it yet")


def _short(obj: Object, fields: tuple[str, ...]) -> Verdict | None:
    """Wait while a count is below the desired replicas, or while there are surplus replicas."""
    wanted, status = _wanted(obj), status_of(obj)
    for field in fields:
        have = count(status.get(field))
        if have < wanted:
            refused = condition(obj, "ReplicaFailure")
            text = f"{_of(have, wanted)} {NAMES[field]}"
            return waiting(f"{text}: {reason_in(refused, 'pods are refused')}" if holds(refused) else text)
    extra = count(status.get("replicas")) - wanted
    return waiting(f"{extra} surplus replicas still exist") if extra > 0 else None


def _available(obj: Object) -> Verdict:
    """Judge a Deployment whose counts are right by its condition Available."""
    available = condition(obj, "Available")
    if holds(available):
        return ready(f"{_of(_wanted(obj), _wanted(obj))} available")
    return waiting(reason_in(available, "is not Available yet"))


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
"""How long a Pod may be unschedulable before that counts as a failure (kstatus: ScheduleWindow)."""

HOPELESS = frozenset({"CrashLoopBackOff", "InvalidImageName", "ErrImageNeverPull"})
"""Reasons of a waiting container that count as a failure."""

PULLING = frozenset({"ContainerCreating", "PodInitializing"})
"""Reasons of a waiting container that are normal."""


def pod(obj: Object, now: datetime, _context: Context) -> Verdict:
    """Ready when its condition Ready is True, when it succeeded, or when it belongs to a Job and runs."""
    phase = status_of(obj).get("phase")
    if phase == "Succeeded":
        return ready("has succeeded")
    if phase == "Failed":
        return failed(str(status_of(obj).get("message") or status_of(obj).get("reason") or "has failed"))
    if holds(condition(obj, "Ready")):
        return ready("is Ready")
    return _unscheduled(obj, now) or _blocked(obj) or _unready(obj, phase)


def _unscheduled(obj: Object, now: datetime) -> Verdict | None:
    """Judge a Pod that is not scheduled."""
    scheduled = condition(obj, "PodScheduled")
    if scheduled.get("status") != "False":
        return None
    if scheduled.get("reason") == "SchedulingGated":
        return waiting(reason_in(scheduled, "its scheduling is gated"))
    why = reason_in(scheduled, "is not scheduled")
    late = scheduled.get("reason") == "Unschedulable" and _age(scheduled.get("lastTransitionTime"), now) > PATIENCE
    return failed(why) if late else waiting(why)


def _blocked(obj: Object) -> Verdict | None:
    """Judge a Pod by its waiting containers; the first problem counts."""
    status = status_of(obj)
    for each in maps(status.get("initContainerStatuses")) + maps(status.get("containerStatuses")):
        held = mapping(mapping(each.get("state")).get("waiting"))
        reason = held.get("reason")
        if reason and reason not in PULLING:
            why = f"container {each.get('name')}: {reason}" + (f": {held['message']}" if held.get("message") else "")
            return failed(why) if reason in HOPELESS else waiting(why)
    return None


def _unready(obj: Object, phase: object) -> Verdict:
    """Judge a Pod that is scheduled, has no waiting container with a problem, and is not Ready."""
    controller = controller_of(obj) or {}
    if phase == "Running" and controller.get("kind") == "Job":
        return ready("runs for its Job")
    return waiting(reason_in(condition(obj, "Ready"), f"is {phase or 'not seen by a node yet'}"))


def _age(since: object, now: datetime) -> timedelta:
    """Return how long before `now` an RFC 3339 time is; zero if it is not a time."""
    try:
        return now - datetime.fromisoformat(str(since))
    except (ValueError, TypeError):  # not a time, or one without a time zone
        return timedelta()


PODS: dict[tuple[str, str], Rule] = {("", "Pod"): pod}
