"""Judge a Prefect server and the workers of our work pools by what its API answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.models.options_deploy import POOLS, PoolType
from kubeferry.tasks.core.ops.health import Finding
from kubeferry.tasks.core.ops.health_versions import numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

START = {
    POOLS[PoolType.PROCESS]: "kubeferry worker",
    POOLS[PoolType.KUBERNETES]: "start the worker of deployments/kubernetes in its cluster",
}
"""How a worker of each of the work pools that `kubeferry deploy` makes is started."""

BEATS = 3
"""Heartbeats that may be missing, as in Prefect's own foreman service (inactivity_heartbeat_multiple)."""

MASKED = "unknown: the server does not tell its connection URL"


def stopped(started: bool) -> Finding:  # noqa: FBT001 - the one thing to know
    """Return the verdict on the local server that is not up, or not yet."""
    if started:
        return Finding.warning("the local one is just starting", "kubeferry server status")
    told = "the local one is not up: commands start it, but until then no schedule fires"
    return Finding.warning(told, "kubeferry server start")


def server(url: str, told: str, client: str, settings: Mapping[str, Any], *, local: bool) -> Finding:
    """Return the verdict on a server that answers.

    Args:
        url: its API, without credentials.
        told: its version.
        client: the version of Prefect here.
        settings: what its API tells of its settings.
        local: it is the one that Kubeferry keeps for this user.
    """
    which = "the local one" if local else "the one of PREFECT_API_URL"
    found = f"{which}, {url}, Prefect {told}, database: {database(settings, local=local)}"
    theirs, ours = numbers(told), numbers(client)
    if theirs[:1] != ours[:1]:
        return Finding.failed(f"{found}: Prefect {client} here cannot talk to it", "run the same Prefect on both sides")
    if theirs < ours:
        todo = "kubeferry server stop, then start" if local else f"update the server to Prefect {client}"
        return Finding.warning(f"{found}: older than Prefect {client} here", todo)
    return Finding.ok(found)


def database(settings: Mapping[str, Any], *, local: bool) -> str:
    """Return the kind of a server's database; its URL is a secret to the API, what is set apart from it is not."""
    if local:
        return "SQLite"
    found = (settings.get("server") or {}).get("database") or {}
    driver = str(found.get("driver") or "")
    if driver.startswith("postgresql"):
        return f"PostgreSQL at {found.get('host') or 'its usual place'}"
    return "SQLite" if driver.startswith("sqlite") else MASKED


def worker(pools: Mapping[str, Mapping[str, Any]], workers: Mapping[str, Sequence[Any]], now: datetime) -> Finding:
    """Return the verdict on the work pools that are there, and on the workers of each."""
    if not pools:
        told = f"no work pool {' or '.join(START)}: runs can only be started by commands"
        return Finding.warning(told, "kubeferry deploy NAMESPACE")
    paused = sorted(name for name, pool in pools.items() if pool.get("is_paused"))
    if paused:
        named = ", ".join(paused)
        return Finding.warning(f"work pool {named} is paused", f"prefect work-pool resume {paused[0]}")
    alive = {name: [each for each in workers.get(name, ()) if _beats(each, now)] for name in pools}
    idle = sorted(name for name, found in alive.items() if not found)
    told = "; ".join(f"{name}: {_workers(alive[name], workers.get(name, ()), now)}" for name in sorted(pools))
    if idle:
        return Finding.warning(told, START[idle[0]])
    return Finding.ok(told)


def _workers(alive: Sequence[Any], known: Sequence[Any], now: datetime) -> str:
    if alive:
        return f"{len(alive)} worker{'s' if len(alive) > 1 else ''} at work"
    beats = [beat for beat in map(_beat, known) if beat]
    return f"no worker, the last one was heard of {ago(now - max(beats))} ago" if beats else "no worker yet"


def _beats(worker: Mapping[str, Any], now: datetime) -> bool:
    beat = _beat(worker)
    every = timedelta(seconds=float(worker.get("heartbeat_interval_seconds") or 30))
    return beat is not None and now - beat <= BEATS * every and worker.get("status") != "OFFLINE"


def _beat(worker: Mapping[str, Any]) -> datetime | None:
    return moment(worker.get("last_heartbeat_time"))


def moment(text: object) -> datetime | None:
    """Return a time of Prefect's API, None where it has none."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def ago(past: timedelta) -> str:
    """Return a time span as a person says it."""
    seconds = max(0, int(past.total_seconds()))
    size, unit = next((each for each in UNITS if seconds >= 2 * each[0]), UNITS[-1])
    return f"{seconds // size} {unit}"
