"""The one local Prefect server of this user: started on first use, it stays up, so that no run's history is lost.

It has a PREFECT_HOME and a SQLite database of its own, listens on loopback only, needs no network and reports to
nobody. A set PREFECT_API_URL means another server, which is never started here. This module does not import Prefect,
which costs a second: with a server up, `ensure` costs milliseconds.

The environments of Prefect: of the local server, and of a process that runs flows against one.

Prefect reads its settings when it is imported, so these are made without it and set before. Nobody is told anything
about the runs; what a user has set for another Prefect does not reach the local server.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import KubeferryError, PermanentError, UnreachableError
from kubeferry.tasks.ports.local import files, paths, processes, progress
from kubeferry.tasks.ports.prefect import api as prefect_api

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


DAY = 86400

PRIVATE = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
"""No telemetry: of the server, of its client, and of whatever else honours the first one."""

SETTINGS = PRIVATE | {
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    # Events (a heartbeat each 30 s of each run among them) are most of what grows: kept for a week, runs for a quarter.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(90 * DAY),
    "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "P7D",
    # A transaction for each change of a task run, the default, makes hundreds of namespaces wait for SQLite's one lock.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "100",
    # Who waits for that lock is not turned away after 10 s, on a machine that is busy.
    "PREFECT_SERVER_DATABASE_TIMEOUT": "60",
    "PREFECT_CLI_PROMPT": "false",
}
"""The server's environment (prefect/settings/models/server); home, port and UI are added by `settings`."""


NOT_INHERITED = ("PREFECT_", "AWS_", "KUBEFERRY_")
"""What the server does not get of the environment of the command that starts it: what the user has set for Prefect is
about another server, and a process that stays for weeks is no place for credentials."""


def home() -> Path:
    """Return the folder of all that Prefect keeps here: its PREFECT_HOME, the database, the log."""
    return paths.state() / "prefect"


def local(port: int) -> str:
    """Return the API's URL of the local server."""
    return f"http://127.0.0.1:{port}/api"


def environment(url: str, *, debug: bool = False) -> dict[str, str]:
    """Return the variables that a process must have before it imports Prefect, to run flows against `url`.

    The console shows only what is critical unless `debug` (the command line shows progress of its own); what flows and
    tasks log goes to the server in any case (prefect/logging/logging.yml: the handlers `console` and `api`).
    """
    values = PRIVATE | {
        "PREFECT_API_URL": url,
        "PREFECT_HOME": os.environ.get("PREFECT_HOME") or str(home()),
        # A server in this very process would lose its history at exit.
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "DEBUG" if debug else "CRITICAL",
        # It names every event that a server which went away does not take.
        "PREFECT_INTERNAL_LOGGING_LEVEL": "ERROR" if debug else "CRITICAL",
    }
    if not prefect_api.loopback(url):
        return values
    # A proxy cannot reach this machine's loopback.
    excepted = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    direct = ",".join(dict.fromkeys([*filter(None, excepted.split(",")), *sorted(prefect_api.LOOPBACK)]))
    return values | {"NO_PROXY": direct, "no_proxy": direct}


def settings(port: int) -> dict[str, str]:
    """Return the server's whole environment, without what is not for it: see NOT_INHERITED."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    return others | SETTINGS | {
        "PREFECT_HOME": str(home()),
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_UI_API_URL": local(port),
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(home() / "ui"),
    }  # fmt: skip


LIMIT = 180.0
"""Seconds in which a server has to be healthy: its first start, on two busy cores, took 12."""
GRACE = 15.0
"""Seconds that a server has to write what it holds in memory, before it is killed."""
NOTED = 5.0
"""Seconds between two notes of the wait."""
LARGEST_LOG = 5 << 20
"""Bytes after which a start begins a new log; one old one is kept."""
RUNNING, STARTING, STOPPED = "running", "starting", "stopped"


@dataclass(frozen=True)
class Status:
    """The local server, as `kubeferry server status` shows it."""

    state: str
    """RUNNING, STARTING (up, but it does not answer yet) or STOPPED."""
    url: str | None
    """Its API; its UI is the same without `/api`. None before its first start."""
    ui: str | None
    pid: int | None
    database: str
    log: str


def ensure() -> str:
    """Return the URL of a Prefect API that answers: PREFECT_API_URL when it is set, else the local server's.

    The local one is started if it is not up, on the port and the database that it had before. Many commands at once
    start one.

    Raises:
        UnreachableError: the local server is not up within LIMIT.
        KubeferryError: PREFECT_API_URL does not answer as it should, by `prefect_api.check`.
        PermanentError: the local server ended while it started; the last lines of its log are a progress note.
    """
    given = os.environ.get("PREFECT_API_URL")
    if not given:
        return start()
    prefect_api.check(given)
    return given


def start() -> str:
    """Return the local server's API URL; start it if it is not up. Raises as `ensure` does."""
    kept = _load()
    if kept and _up(*kept):
        return local(kept[1])
    with _alone():
        kept = _load()
        # It may be up, but not ready: its starter was killed while it waited, or it is itself just being killed.
        if kept and processes.alive(kept[0]) and _wait(*kept):
            return local(kept[1])
        process, port = _spawn(kept[1] if kept else None)
        if not _wait(process, port):
            progress.note(processes.tail(_log(), 15))
            cause = processes.tail(_log(), 1)
            raise PermanentError(f"the local Prefect server does not start: {cause} (its log is {_log()})")
        return local(port)


def stop() -> bool:
    """Stop the local server and its children; tell whether it was up. Its history stays."""
    with _alone():
        kept = _load()
        if not kept or not processes.alive(kept[0]):
            return False
        processes.stop(kept[0], GRACE)
        return True


def status() -> Status:
    """Return what is known of the local server; nothing is started."""
    kept = _load()
    alive = kept is not None and processes.alive(kept[0])
    state = (RUNNING if kept and _up(*kept) else STARTING) if alive else STOPPED
    url = local(kept[1]) if kept else None
    pid = kept[0].pid if kept and alive else None
    return Status(state, url, url and url.removesuffix("/api"), pid, str(home() / "prefect.db"), str(_log()))


def _log() -> Path:
    return home() / "server.log"


@contextmanager
def _alone() -> Iterator[None]:
    """Let one command at a time start or stop the server; the lock goes with its holder, even a killed one."""
    import fcntl

    files.make_folder(home())
    with (home() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _load() -> tuple[processes.Process, int] | None:
    path = home() / "server.json"
    try:
        kept = json.loads(path.read_bytes())
        return processes.Process(int(kept["pid"]), str(kept["started"])), int(kept["port"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise PermanentError(f"{path} cannot be understood: delete it, the history is elsewhere") from error


def _spawn(port: int | None) -> tuple[processes.Process, int]:
    """Start a server, on `port` if that is still free, and keep how to know it again."""
    if port is None or processes.listens(port):
        port = processes.free_port()
    progress.note("starting the local Prefect server, which then stays up (its first start takes some 15 seconds)…")
    if _log().exists() and _log().stat().st_size > LARGEST_LOG:
        _log().replace(_log().with_suffix(".log.1"))
    argv = [
        sys.executable,
        "-m",
        "kubeferry.tasks.ports.prefect.server_main",
        "server",
        "start",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    process = processes.spawn(argv, _log(), settings(port), home())
    with files.written(home() / "server.json") as file:
        file.write(json.dumps(asdict(process) | {"port": port}).encode())
    return process, port


def _wait(process: processes.Process, port: int) -> bool:
    """Wait until the server answers; tell whether it does, or has ended. Raises UnreachableError after LIMIT."""
    began = noted = time.monotonic()
    while not _up(process, port):
        if not processes.alive(process):
            return False
        now = time.monotonic()
        if now - began > LIMIT:
            processes.stop(process, GRACE)
            raise UnreachableError(f"the local Prefect server was not up within {LIMIT:.0f} s; its log is {_log()}")
        if now - noted > NOTED:
            noted = now
            progress.note(f"waiting for the local Prefect server ({now - began:.0f} s)…")
        time.sleep(0.1)
    return True


def _up(process: processes.Process, port: int) -> bool:
    """Tell whether it is this very server that answers on its port."""
    if not processes.alive(process):
        return False
    try:
        prefect_api.check(local(port))
    except KubeferryError:
        return False
    return True
