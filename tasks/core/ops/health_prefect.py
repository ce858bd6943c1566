"""Check a Prefect server: its version, the workers of Kubeferry's work pools, its deployments and their runs.

Scheduled deployments must have run when they were due, the newest backup in the store must be as recent, and entry
points must be those of the installed version. All of it comes from the server's API and the store, by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.models.pools import POOLS, PoolType, restore_pool
from kubeferry.tasks.core.ops.cron import last_due
from kubeferry.tasks.core.ops.health import Finding, numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import tzinfo


_JOBS = POOLS[PoolType.KUBERNETES]
START = {
    POOLS[PoolType.PROCESS]: "kubeferry worker",
    _JOBS: "start the worker of deployments/kubernetes in the cluster",
    restore_pool(_JOBS, PoolType.KUBERNETES): "start the worker of restores of deployments/kubernetes in the cluster",
}
"""How to start a worker for each work pool that `kubeferry deploy` creates."""

BEATS = 3
"""Heartbeats that may be missed, as in Prefect's own foreman service (inactivity_heartbeat_multiple)."""

MASKED = "unknown: the server does not show its connection URL"


def stopped(started: bool) -> Finding:  # noqa: FBT001 - the one thing to know
    """Return the verdict on a local server that does not run, or not yet."""
    if started:
        return Finding.warning("the local one is just starting", "kubeferry server status")
    message = "the local one does not run: commands start it, but until then no schedule runs"
    return Finding.warning(message, "kubeferry server start")


def server(url: str, version: str, client: str, settings: Mapping[str, Any], *, local: bool) -> Finding:
    """Return the verdict on a server that responds.

    Args:
        url: its API, without credentials.
        version: the server's version.
        client: the installed version of Prefect.
        settings: its settings, as its API returns them.
        local: it is the server that Kubeferry runs for this user.
    """
    which = "the local one" if local else "the one of PREFECT_API_URL"
    found = f"{which}, {url}, Prefect {version}, database: {database(settings, local=local)}"
    theirs, ours = numbers(version), numbers(client)
    if theirs[:1] != ours[:1]:
        return Finding.failed(
            f"{found}: the installed Prefect {client} cannot use it",
            "install the same version of Prefect on both sides",
        )
    if theirs < ours:
        todo = "kubeferry server stop, then start" if local else f"update the server to Prefect {client}"
        return Finding.warning(f"{found}: older than the installed Prefect {client}", todo)
    return Finding.ok(found)


def database(settings: Mapping[str, Any], *, local: bool) -> str:
    """Return the kind of a server's database; the API masks its URL, but not separate settings."""
    if local:
        return "SQLite"
    found = (settings.get("server") or {}).get("database") or {}
    driver = str(found.get("driver") or "")
    if driver.startswith("postgresql"):
        return f"PostgreSQL at {found.get('host') or 'its default host'}"
    return "SQLite" if driver.startswith("sqlite") else MASKED


def worker(pools: Mapping[str, Mapping[str, Any]], workers: Mapping[str, Sequence[Any]], now: datetime) -> Finding:
    """Return the verdict on the existing work pools, and on the workers of each."""
    if not pools:
        message = f"no work pool {' or '.join(START)}: only commands can start runs"
        return Finding.warning(message, "kubeferry deploy NAMESPACE")
    paused = sorted(name for name, pool in pools.items() if pool.get("is_paused"))
    if paused:
        named = ", ".join(paused)
        return Finding.warning(f"work pool {named} is paused", f"prefect work-pool resume {paused[0]}")
    alive = {name: [each for each in workers.get(name, ()) if _beats(each, now)] for name in pools}
    idle = sorted(name for name, found in alive.items() if not found)
    message = "; ".join(f"{name}: {_workers(alive[name], workers.get(name, ()), now)}" for name in sorted(pools))
    if idle:
        return Finding.warning(message, START[idle[0]])
    return Finding.ok(message)


def _workers(alive: Sequence[Any], known: Sequence[Any], now: datetime) -> str:
    if alive:
        return f"{len(alive)} worker{'s' if len(alive) > 1 else ''} online"
    beats = [beat for beat in map(_beat, known) if beat]
    return f"no worker online, the last heartbeat was {ago(now - max(beats))} ago" if beats else "no worker yet"


def _beats(worker: Mapping[str, Any], now: datetime) -> bool:
    beat = _beat(worker)
    every = timedelta(seconds=float(worker.get("heartbeat_interval_seconds") or 30))
    return beat is not None and now - beat <= BEATS * every and worker.get("status") != "OFFLINE"


def _beat(worker: Mapping[str, Any]) -> datetime | None:
    return moment(worker.get("last_heartbeat_time"))


def moment(text: object) -> datetime | None:
    """Return a time from Prefect's API, None if it has none."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def ago(past: timedelta) -> str:
    """Return a time span for people."""
    seconds = max(0, int(past.total_seconds()))
    size, unit = next((each for each in UNITS if seconds >= 2 * each[0]), UNITS[-1])
    return f"{seconds // size} {unit}"


AGAIN = "repeat kubeferry deploy with the same options"

NAMED = 3
"""Most deployments in a message, which adds the number of others."""


def deployments(
    declared: Mapping[str, str], registered: Mapping[str, str | None], one_parameter: Collection[str] = ()
) -> Finding:
    """Return the verdict on Kubeferry's deployments on the server.

    Args:
        declared: FLOW/NAME → entry point. Another one belongs to another version: with this version no run can start.
        registered: the same, of the deployments on the server.
        one_parameter: those whose one parameter `options` holds all options, as flows of earlier versions had it: a
            run that gives some of them loses those of its deployment, such as the store.
    """
    old = [f"{name} ({at or 'none'})" for name, at in sorted(registered.items()) if at != declared[name]]
    if old:
        return Finding.warning(f"entry points of another version of Kubeferry: {_few(old)}", AGAIN)
    if one_parameter:
        message = "parameters of an earlier version, where a run's options replace all those of its deployment"
        return Finding.warning(f"{message}: {_few(sorted(one_parameter))}", AGAIN)
    if not registered:
        return Finding.skipped("none is registered")
    return Finding.ok(f"{len(registered)} registered, all with the entry points of this version")


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


BACKUP = "backup/nightly"
NIGHTLY = (BACKUP, "prune/nightly", "verify/nightly")
"""The scheduled deployments of `kubeferry deploy`, by their names in Prefect."""

GRACE = timedelta(hours=1)
"""How long a run may take, or be late, before it counts as missed: with a shorter schedule, until the next is due."""

UNDER_WAY = ("RUNNING", "PAUSED", "CANCELLING")
"""Types of the states of a run that has started and not ended."""

DEPLOY = "kubeferry deploy NAMESPACE"


@dataclass(frozen=True)
class Scheduled:
    """A scheduled deployment, from Prefect's API."""

    deployment: Mapping[str, Any]
    completed: datetime | None
    """When the newest completed run started."""
    last: Mapping[str, Any] | None
    """The newest run that has started, in any state."""


def due(scheduled: Scheduled, now: datetime, zone: Callable[[str], tzinfo | None]) -> datetime | None:
    """Return the last due time whose run must have completed by now; None if there is none.

    Whose run is under way has an hour, and so has whose next run is due no earlier.
    """
    patient = _under_way(scheduled.last, now)
    times = [
        last_due(each["schedule"], now - (GRACE if patient else _grace(each["schedule"], now, zone)), zone)
        for each in scheduled.deployment.get("schedules") or ()
        if each.get("active") and each.get("schedule")
    ]
    known = [each for each in times if each]
    since = _since(scheduled.deployment)
    newest = max(known) if known else None
    return newest if newest and (since is None or newest >= since) else None


def _under_way(run: Mapping[str, Any] | None, now: datetime) -> bool:
    begun = moment(run.get("start_time")) if run and run.get("state_type") in UNDER_WAY else None
    return begun is not None and now - begun <= GRACE


def _grace(schedule: Mapping[str, Any], now: datetime, zone: Callable[[str], tzinfo | None]) -> timedelta:
    """Return the time between the last two due times, at most an hour."""
    last = last_due(schedule, now, zone)
    before = last and last_due(schedule, last - timedelta(seconds=1), zone)
    return min(GRACE, last - before) if last and before else GRACE


def _since(deployment: Mapping[str, Any]) -> datetime | None:
    """Return when the schedules were last changed."""
    changed = [moment(each.get("updated") or each.get("created")) for each in deployment.get("schedules") or ()]
    known = [each for each in (moment(deployment.get("created")), *changed) if each]
    return max(known) if known else None


def schedule(name: str, scheduled: Scheduled | None, now: datetime, zone: Callable[[str], tzinfo | None]) -> Finding:
    """Return the verdict on the scheduled deployment `name`; None means that it is not registered."""
    if scheduled is None:
        if name == BACKUP:
            return Finding.warning("no schedule: no backup runs automatically", DEPLOY)
        return Finding.skipped(f"no schedule: {name} is not registered")
    active = [each for each in scheduled.deployment.get("schedules") or () if each.get("active")]
    if scheduled.deployment.get("paused") or not active:
        what = "is paused" if scheduled.deployment.get("paused") else "has no active schedule"
        return Finding.warning(
            f"{name} {what}: it does not run automatically", f"{DEPLOY}, or resume it in Prefect's UI"
        )
    when = ", ".join(str(each["schedule"].get("cron") or "an interval") for each in active)
    return _runs(scheduled, due(scheduled, now, zone), when, now)


def _runs(scheduled: Scheduled, wanted: datetime | None, when: str, now: datetime) -> Finding:
    """Return the verdict on the runs of an active schedule (`when`) that was last due at `wanted`."""
    if wanted and (scheduled.completed is None or scheduled.completed < wanted):
        message = f"no completed run since it was due ({when}) {ago(now - wanted)} ago; {_last(scheduled.last, now)}"
        return Finding.failed(message, "look at its runs in Prefect's UI; see worker")
    if scheduled.last and scheduled.last.get("state_type") in ("FAILED", "CRASHED"):
        return Finding.warning(f"{when}: {_last(scheduled.last, now)}", "look at its runs in Prefect's UI")
    if scheduled.completed:
        return Finding.ok(f"{when}: completed {ago(now - scheduled.completed)} ago")
    return Finding.ok(f"{when}: no run was due yet")


def _last(run: Mapping[str, Any] | None, now: datetime) -> str:
    if run is None:
        return "none has started"
    begun = moment(run.get("start_time"))
    return f"the last one is {run.get('state_name')}, started {ago(now - begun) if begun else 'some time'} ago"


def newest_backup(newest: tuple[str, str] | None, wanted: datetime | None, now: datetime) -> Finding:
    """Return the verdict on the newest backup, by name and start, if one was due at `wanted`."""
    if newest is None:
        if wanted is None:
            return Finding.skipped("there is none yet: kubeferry backup NAMESPACE")
        message = f"there is none, though {BACKUP} was due {ago(now - wanted)} ago"
        return Finding.failed(message, f"see schedule {BACKUP}; does it write to another --store?")
    name, started = newest
    begun = moment(started)
    age = ago(now - begun) if begun else "some time"
    if wanted and begun and begun < wanted:
        message = f"{name} is {age} old, though {BACKUP} was due {ago(now - wanted)} ago"
        return Finding.failed(message, f"see schedule {BACKUP}; does it write to another --store?")
    return Finding.ok(f"{name}, {age} old")
