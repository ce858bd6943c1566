"""Checks of Prefect for `kubeferry doctor`: its server, the workers of Kubeferry's pools, deployments and runs."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kubeferry.tasks.core.errors import KubeferryError
from kubeferry.tasks.core.formats.velero_backup import Summary
from kubeferry.tasks.core.models.forms import is_earlier
from kubeferry.tasks.core.ops import health_prefect
from kubeferry.tasks.core.ops.declarations import title
from kubeferry.tasks.core.ops.health import Finding
from kubeferry.tasks.core.ops.health_prefect import BACKUP, Scheduled, due
from kubeferry.tasks.ports.local import clock, shipped
from kubeferry.tasks.ports.prefect import api as prefect_api
from kubeferry.tasks.ports.prefect import server as prefect_server
from kubeferry.tasks.ports.records.backups import backups
from kubeferry.tasks.ports.store.open import open_store

if TYPE_CHECKING:
    from kubeferry.tasks.core.models.options_maintenance import DoctorOptions

DOWN = "no Prefect server is running"
GOOD = ("Completed", "Partial")
"""Phases of a backup that can be restored."""


def server(_asked: DoctorOptions) -> Finding:
    """Check the server that commands would use; the local one is not started."""
    given = os.environ.get("PREFECT_API_URL")
    local = prefect_server.status()
    if not given and local.state != prefect_server.RUNNING:
        return health_prefect.stopped(local.state == prefect_server.STARTING)
    url = given or str(local.url)
    prefect_api.check(url)
    answer = prefect_api.ask(url, "/admin/version")
    settings = prefect_api.ask(url, "/admin/settings") or {}
    same = url.rstrip("/") == str(local.url)
    return health_prefect.server(prefect_api.shown(url), str(answer), version("prefect"), settings, local=same)


def worker(_asked: DoctorOptions) -> Finding:
    """Check the work pools and the heartbeats of their workers."""
    url = _url()
    if not url:
        return Finding.skipped(DOWN)
    known = {name: prefect_api.ask(url, f"/work_pools/{name}") for name in health_prefect.START}
    pools = {name: pool for name, pool in known.items() if pool}
    workers = {name: prefect_api.ask(url, f"/work_pools/{name}/workers/filter", {}) for name in pools}
    return health_prefect.worker(pools, workers, clock.now())


def deployments(_asked: DoctorOptions) -> Finding:
    """Compare the entrypoints and the parameters of the registered deployments with the declared ones."""
    url = _url()
    if not url:
        return Finding.skipped(DOWN)
    declared = {title(each): each["entrypoint"] for each in shipped.read("prefect.yaml")["deployments"]}
    asked = {name: prefect_api.ask(url, f"/deployments/name/{name}") for name in declared}
    known = {name: each for name, each in asked.items() if each}
    old = [name for name, each in known.items() if is_earlier(each["parameter_openapi_schema"])]
    return health_prefect.deployments(declared, {name: each["entrypoint"] for name, each in known.items()}, old)


def schedule(_asked: DoctorOptions, name: str) -> Finding:
    """Check a scheduled deployment and its runs."""
    url = _url()
    return health_prefect.schedule(name, _scheduled(url, name), clock.now(), _zone) if url else Finding.skipped(DOWN)


def newest_backup(asked: DoctorOptions) -> Finding:
    """Compare the newest good backup of the store with the schedule."""
    found = [each for each in backups(open_store(asked.store)) if isinstance(each, Summary) and each.phase in GOOD]
    newest = max(((each.name, each.started) for each in found), key=lambda each: each[1], default=None)
    return health_prefect.newest_backup(newest, _due(), clock.now())


def _due() -> Any:
    """Return when a backup was last due; None if the server cannot be read, too."""
    try:
        url = _url()
        scheduled = _scheduled(url, BACKUP) if url else None
    except KubeferryError:
        return None  # reported by the checks of the server and of the schedule
    return due(scheduled, clock.now(), _zone) if scheduled else None


def _url() -> str:
    """Return the API that commands would use, "" if the local server is not running. Raises as `prefect_api.check`."""
    given = os.environ.get("PREFECT_API_URL")
    if given:
        prefect_api.check(given)
        return given
    local = prefect_server.status()
    return str(local.url) if local.state == prefect_server.RUNNING else ""


def _scheduled(url: str, name: str) -> Scheduled | None:
    deployment = prefect_api.ask(url, f"/deployments/name/{name}")
    if not deployment:
        return None
    completed = _newest(url, deployment["id"], {"type": {"any_": ["COMPLETED"]}})
    last = _newest(url, deployment["id"], {"type": {"not_any_": ["SCHEDULED", "PENDING"]}})
    begun = health_prefect.moment(completed["start_time"]) if completed else None
    return Scheduled(deployment, begun, last)


def _newest(url: str, deployment: str, state: dict[str, Any]) -> Any:
    """Return the last started run of a deployment in such a state."""
    wanted = {"deployment_id": {"any_": [deployment]}, "state": state}
    runs = prefect_api.ask(url, "/flow_runs/filter", {"flow_runs": wanted, "sort": "START_TIME_DESC", "limit": 1})
    return runs[0] if runs else None


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
