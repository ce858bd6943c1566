"""When a Pod is ready, and which of its troubles do not pass by waiting.

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
    condition,
    failed,
    holds,
    mapping,
    maps,
    ready,
    reason_in,
    status_of,
    waiting,
)

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object

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
