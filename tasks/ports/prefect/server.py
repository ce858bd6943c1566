"""The local Prefect server of this user, started on first use, and the environments of server and clients.

The server keeps running, so that the history of runs is kept. It has its own PREFECT_HOME and SQLite database, listens
on loopback only, needs no network and sends no telemetry; the user's settings for another Prefect do not reach it. If
PREFECT_API_URL is set, that server is used and none is started. Prefect reads its settings at import, so this module
does not import it, which also takes a second: with a running server, `ensure` takes milliseconds.
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
"""No telemetry from the server, its client, or any other library that honours DO_NOT_TRACK."""

SETTINGS = PRIVATE | {
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    # Events (with a heartbeat of each run every 30 s) grow most: kept for a week, runs for a quarter.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(90 * DAY),
    "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "P7D",
    # The default, a transaction for each change of a task run, makes hundreds of namespaces wait for SQLite's one lock.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "100",
    # On a busy machine the default timeout for that lock, 10 s, is too short.
    "PREFECT_SERVER_DATABASE_TIMEOUT": "60",
    "PREFECT_CLI_PROMPT": "false",
}
"""The server's environment (prefect/settings/models/server); home, port and UI are added by `settings`."""


NOT_INHERITED = ("PREFECT_", "AWS_", "KUBEFERRY_")
"""Prefixes of variables that the server does not inherit from the command that starts it: the user's settings of
Prefect are for another server, and a process that runs for weeks should hold no credentials."""


def home() -> Path:
    """Return the folder of the local Prefect: its PREFECT_HOME, the database, the log."""
    return paths.state() / "prefect"


def local(port: int) -> str:
    """Return the API URL of the local server."""
    return f"http://127.0.0.1:{port}/api"


def environment(url: str, *, debug: bool = False) -> dict[str, str]:
    """Return the variables that a process must set before it imports Prefect, to run flows against `url`.

    Without `debug` the console shows only critical logs (the command line shows its own progress); the logs of flows
    and tasks always go to the server (prefect/logging/logging.yml: the handlers `console` and `api`).
    """
    values = PRIVATE | {
        "PREFECT_API_URL": url,
        "PREFECT_HOME": os.environ.get("PREFECT_HOME") or str(home()),
        # An ephemeral server in this process would lose its history at exit.
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "DEBUG" if debug else "CRITICAL",
        # This logger reports every event that cannot be sent to a stopped server.
        "PREFECT_INTERNAL_LOGGING_LEVEL": "ERROR" if debug else "CRITICAL",
    }
    if not prefect_api.loopback(url):
        return values
    # A proxy cannot reach this machine's loopback.
    excepted = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    direct = ",".join(dict.fromkeys([*filter(None, excepted.split(",")), *sorted(prefect_api.LOOPBACK)]))
    return values | {"NO_PROXY": direct, "no_proxy": direct}


def settings(port: int) -> dict[str, str]:
    """Return the server's whole environment, without the variables of NOT_INHERITED."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    return others | SETTINGS | {
        "PREFECT_HOME": str(home()),
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_UI_API_URL": local(port),
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(home() / "ui"),
    }  # fmt: skip


LIMIT = 180.0
"""Seconds in which a server has to become healthy: a first start on two busy cores took 12."""
GRACE = 15.0
"""Seconds that a server has to flush its memory before it is killed."""
NOTED = 5.0
"""Seconds between two progress notes of the wait."""
LARGEST_LOG = 5 << 20
"""Bytes after which a start rotates the log; one old log is kept."""
RUNNING, STARTING, STOPPED = "running", "starting", "stopped"


@dataclass(frozen=True)
class Status:
    """The local server, as `kubeferry server status` shows it."""

    state: str
    """RUNNING, STARTING (it runs, but does not answer yet) or STOPPED."""
    url: str | None
    """Its API URL; the UI's URL is the same without `/api`. None before the first start."""
    ui: str | None
    pid: int | None
    database: str
    log: str


def ensure() -> str:
    """Return the URL of a Prefect API that answers: PREFECT_API_URL if set, else the local server's.

    The local server is started if it is not running, with its previous port and database. Concurrent commands start
    only one.

    Raises:
        UnreachableError: the local server is not healthy within LIMIT.
        KubeferryError: the API at PREFECT_API_URL is not healthy, by `prefect_api.check`.
        PermanentError: the local server ended during its start; the last lines of its log are a progress note.
    """
    given = os.environ.get("PREFECT_API_URL")
    if not given:
        return start()
    prefect_api.check(given)
    return given


def start() -> str:
    """Return the local server's API URL; start it if it is not running. Raises as `ensure` does."""
    kept = _load()
    if kept and _up(*kept):
        return local(kept[1])
    with _alone():
        kept = _load()
        # It may run, but not be ready: its starter was killed while it waited, or it is being killed itself.
        if kept and processes.alive(kept[0]) and _wait(*kept):
            return local(kept[1])
        process, port = _spawn(kept[1] if kept else None)
        if not _wait(process, port):
            progress.note(processes.tail(_log(), 15))
            cause = processes.tail(_log(), 1)
            raise PermanentError(f"the local Prefect server does not start: {cause} (its log is {_log()})")
        return local(port)


def stop() -> bool:
    """Stop the local server and its children; return whether it was running. Its history is kept."""
    with _alone():
        kept = _load()
        if not kept or not processes.alive(kept[0]):
            return False
        processes.stop(kept[0], GRACE)
        return True


def status() -> Status:
    """Return the status of the local server; start nothing."""
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
    """Let one command at a time start or stop the server; the lock ends with its process, even a killed one."""
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
        raise PermanentError(f"{path} cannot be understood: delete it, runs are in the database") from error


def _spawn(port: int | None) -> tuple[processes.Process, int]:
    """Start a server, on `port` if that is still free, and record its process and port."""
    if port is None or processes.listens(port):
        port = processes.free_port()
    progress.note("starting the local Prefect server, which keeps running (its first start takes some 15 seconds)…")
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
    """Wait until the server answers; return False if it has ended. Raises UnreachableError after LIMIT."""
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
    """Return whether this server process is alive and answers on its port."""
    if not processes.alive(process):
        return False
    try:
        prefect_api.check(local(port))
    except KubeferryError:
        return False
    return True
