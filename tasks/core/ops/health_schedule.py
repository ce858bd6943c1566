"""Judge whether what should have run by itself has: the nightly deployments, and the newest backup in the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.ops.cron import last_due
from kubeferry.tasks.core.ops.health import Finding
from kubeferry.tasks.core.ops.health_prefect import ago, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import tzinfo

BACKUP = "backup/nightly"
NIGHTLY = (BACKUP, "prune/nightly", "verify/nightly")
"""The scheduled deployments of `kubeferry deploy`, as Prefect names them."""

GRACE = timedelta(hours=1)
"""What a run may take, and be late, before it counts as missed."""

DEPLOY = "kubeferry deploy NAMESPACE"


@dataclass(frozen=True)
class Scheduled:
    """What Prefect tells of a scheduled deployment."""

    deployment: Mapping[str, Any]
    completed: datetime | None
    """When the newest run that is completed was started."""
    last: Mapping[str, Any] | None
    """The newest run that has begun, however it ended."""


def due(scheduled: Scheduled, now: datetime, zone: Callable[[str], tzinfo | None]) -> datetime | None:
    """Return the last time at which a run had to be started and had an hour since; None where there was none."""
    times = [
        last_due(each.get("schedule") or {}, now - GRACE, zone)
        for each in scheduled.deployment.get("schedules") or ()
        if each.get("active")
    ]
    known = [each for each in times if each]
    since = _since(scheduled.deployment)
    newest = max(known) if known else None
    return newest if newest and (since is None or newest >= since) else None


def _since(deployment: Mapping[str, Any]) -> datetime | None:
    """Return since when the schedules are as they are now."""
    changed = [moment(each.get("updated") or each.get("created")) for each in deployment.get("schedules") or ()]
    known = [each for each in (moment(deployment.get("created")), *changed) if each]
    return max(known) if known else None


def schedule(name: str, scheduled: Scheduled | None, now: datetime, zone: Callable[[str], tzinfo | None]) -> Finding:
    """Return the verdict on the scheduled deployment `name`; None is one that is not registered."""
    if scheduled is None:
        if name == BACKUP:
            return Finding.warning("no schedule: nothing is backed up by itself", DEPLOY)
        return Finding.skipped(f"no schedule: {name} is not registered")
    active = [each for each in scheduled.deployment.get("schedules") or () if each.get("active")]
    if scheduled.deployment.get("paused") or not active:
        what = "is paused" if scheduled.deployment.get("paused") else "has no active schedule"
        return Finding.warning(f"{name} {what}: it does not run by itself", f"{DEPLOY}, or resume it in Prefect's UI")
    when = ", ".join(str(each["schedule"].get("cron") or "an interval") for each in active)
    return _runs(scheduled, due(scheduled, now, zone), when, now)


def _runs(scheduled: Scheduled, wanted: datetime | None, when: str, now: datetime) -> Finding:
    """Return the verdict on the runs of an active schedule (`when`) that was last due at `wanted`."""
    if wanted and (scheduled.completed is None or scheduled.completed < wanted):
        told = f"no completed run since it was due ({when}) {ago(now - wanted)} ago; {_last(scheduled.last, now)}"
        return Finding.failed(told, "look at its runs in Prefect's UI; see worker")
    if scheduled.last and scheduled.last.get("state_type") in ("FAILED", "CRASHED"):
        return Finding.warning(f"{when}: {_last(scheduled.last, now)}", "look at its runs in Prefect's UI")
    if scheduled.completed:
        return Finding.ok(f"{when}: completed {ago(now - scheduled.completed)} ago")
    return Finding.ok(f"{when}: no run was due yet")


def _last(run: Mapping[str, Any] | None, now: datetime) -> str:
    if run is None:
        return "none has begun"
    begun = moment(run.get("start_time"))
    return f"the last one is {run.get('state_name')}, begun {ago(now - begun) if begun else 'some time'} ago"


def newest_backup(newest: tuple[str, str] | None, wanted: datetime | None, now: datetime) -> Finding:
    """Return the verdict on the newest backup, by name and start, where one had to be begun at `wanted`."""
    if newest is None:
        if wanted is None:
            return Finding.skipped("there is none yet: kubeferry backup NAMESPACE")
        told = f"there is none, though {BACKUP} was due {ago(now - wanted)} ago"
        return Finding.failed(told, f"see schedule {BACKUP}; does it write to another --store?")
    name, started = newest
    begun = moment(started)
    age = ago(now - begun) if begun else "some time"
    if wanted and begun and begun < wanted:
        told = f"{name} is {age} old, though {BACKUP} was due {ago(now - wanted)} ago"
        return Finding.failed(told, f"see schedule {BACKUP}; does it write to another --store?")
    return Finding.ok(f"{name}, {age} old")
