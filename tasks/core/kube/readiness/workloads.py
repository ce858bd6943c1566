"""When what makes pods is ready: Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Job, CronJob.

The rules of kstatus (cli-utils, pkg/kstatus/status/core.go), stricter where those are weak: an OnDelete StatefulSet
still needs its replicas, a paused Deployment and a suspended Job need nothing, and a refused pod (quota, admission) is
the reason that is shown instead of a bare count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    ready,
    reason_in,
    spec_of,
    status_of,
    waiting,
)

if TYPE_CHECKING:
    from datetime import datetime

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
