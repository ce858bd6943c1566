"""The local Prefect server of this user, started on first use, and the environments of server and clients.

The server keeps running, so that the history of runs is kept. It has its own PREFECT_HOME and SQLite database, listens
on loopback only, asks for a password (`local_server`), needs no network and sends no telemetry; the user's settings for
another Prefect do not reach it. If PREFECT_API_URL is set, that server is used and none is started. Prefect reads its
settings at import, so this module does not import it, which also takes a second: with a running server, `ensure` takes
milliseconds.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import CredentialsError, KubeferryError, PermanentError, UnreachableError, UsageError
from kubeferry.tasks.ports.local import files, processes, progress
from kubeferry.tasks.ports.prefect import api as prefect_api
from kubeferry.tasks.ports.prefect import local_server
from kubeferry.tasks.ports.prefect.local_server import HOST, Record, home, local

if TYPE_CHECKING:
    from collections.abc import Iterator

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


TO_LOCAL = {
    # It speaks plain HTTP, while each client that Prefect makes, six in a backup, would read the certificates of all
    # authorities, 20 ms each time. The one in this file expired in 2000, and its key is gone.
    "PREFECT_API_SSL_CERT_FILE": str(Path(__file__).with_name("nobody.pem")),
    # It has no CSRF protection: it asks for a password, and refuses the pages of others (`guard`).
    "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",
    # It is of Kubeferry, which takes one minor version of Prefect only.
    "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
}
"""Settings of the local server's clients: they send less, and begin faster."""

NOT_INHERITED = ("PREFECT_", "AWS_", "KUBEFERRY_")
"""Prefixes of variables that the server does not inherit from the command that starts it: the user's settings of
Prefect are for another server, and a process that runs for weeks should hold no credentials."""


def environment(url: str, *, debug: bool = False) -> dict[str, str]:
    """Return the variables that a process must set before it imports Prefect, to run flows against `url`.

    Those of the local server have its password, which comes before any other credentials in Prefect's clients.
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
    if password := local_server.password_for(url):
        values |= TO_LOCAL | {"PREFECT_API_AUTH_STRING": password}
    if not prefect_api.loopback(url):
        return values
    # A proxy cannot reach this machine's loopback.
    excepted = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    direct = ",".join(dict.fromkeys([*filter(None, excepted.split(",")), *sorted(prefect_api.LOOPBACK)]))
    return values | {"NO_PROXY": direct, "no_proxy": direct}


def settings(port: int, password: str) -> dict[str, str]:
    """Return the server's whole environment, without the variables of NOT_INHERITED."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    return others | SETTINGS | {
        "PREFECT_HOME": str(home()),
        "PREFECT_SERVER_API_HOST": HOST,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_API_AUTH_STRING": password,
        # `*` by default: any page could read the answers.
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(f"http://{name}:{port}" for name in local_server.NAMES),
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
LOGIN = "kubeferry server password"


@dataclass(frozen=True)
class Status:
    """The local server, as `kubeferry server status` shows it."""

    state: str
    """RUNNING, STARTING (it runs, but does not answer yet) or STOPPED."""
    url: str | None
    """Its API URL; the UI's URL is the same without `/api`. None before the first start."""
    ui: str | None
    login: str
    """The command that prints the password, for which the UI asks once."""
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
    prefect_api.check(given, patient=True)
    return given


def start() -> str:
    """Return the local server's API URL; start it if it is not running. Raises as `ensure` does."""
    kept = local_server.load()
    if kept and kept.guarded and _up(kept):
        return _open(kept)
    with _alone():
        kept = local_server.load()
        if kept and processes.alive(kept.process) and not kept.guarded:
            _retire(kept)
        # It may run, but not be ready: its starter was killed while it waited, or it is being killed itself.
        elif kept and processes.alive(kept.process) and _wait(kept):
            return _open(kept)
        started = _spawn(kept.port if kept else None)
        if not _wait(started):
            progress.note(processes.tail(_log(), 15))
            cause = processes.tail(_log(), 1)
            raise PermanentError(f"the local Prefect server does not start: {cause} (its log is {_log()})")
        return _open(started)


def _open(kept: Record) -> str:
    """Return the URL of a server that is up, if it takes the password that is written down."""
    url = local(kept.port)
    try:
        prefect_api.ask(url, "/admin/version")
    except CredentialsError as error:
        raise PermanentError(
            f"the local Prefect server asks for another password than that in {home()}: kubeferry server stop, and "
            "repeat the command"
        ) from error
    return url


IN_PROGRESS = ["PENDING", "RUNNING", "PAUSED", "CANCELLING"]
"""Types of the states of flow runs that need their server."""


def _retire(kept: Record) -> None:
    """Stop a server that an older version started, which asks nobody for a password; not while it is needed."""
    wanted = {"flow_runs": {"state": {"type": {"any_": IN_PROGRESS}}}}
    if runs := prefect_api.ask(local(kept.port), "/flow_runs/count", wanted):
        raise PermanentError(
            f"the local Prefect server is one of an older Kubeferry, which asks for no password, and flow runs are in "
            f"progress ({runs}): kubeferry server stop, once they have ended"
        )
    progress.note("the local Prefect server asks for a password from now on: start running workers anew…")
    processes.stop(kept.process, GRACE)


def stop() -> bool:
    """Stop the local server and its children; return whether it was running. Its history is kept."""
    with _alone():
        kept = local_server.load()
        if not kept or not processes.alive(kept.process):
            return False
        processes.stop(kept.process, GRACE)
        return True


def status() -> Status:
    """Return the status of the local server; start nothing."""
    kept = local_server.load()
    alive = kept is not None and processes.alive(kept.process)
    state = (RUNNING if kept and _up(kept) else STARTING) if alive else STOPPED
    url = local(kept.port) if kept else None
    pid = kept.process.pid if kept and alive else None
    ui = url and url.removesuffix("/api")
    return Status(state, url, ui, LOGIN, pid, str(home() / "prefect.db"), str(_log()))


def password() -> str:
    """Return the password of the local server.

    Raises:
        UsageError: it was never started.
        PermanentError: the file of the password is refused (`local_server.password`).
    """
    found = local_server.password()
    if found is None:
        raise UsageError("the local Prefect server has no password yet: kubeferry server start makes one")
    return found


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


def _spawn(port: int | None) -> Record:
    """Start a server, on `port` if that is still free, and write down its process and port."""
    password = local_server.password()
    if port is None or processes.listens(port):
        port = processes.free_port()
        # Whoever took the old port may have got the password from a client that was not told.
        password = None
    password = password or local_server.new_password()
    progress.note("starting the local Prefect server, which keeps running (its first start takes some 15 seconds)…")
    if _log().exists() and _log().stat().st_size > LARGEST_LOG:
        _log().replace(_log().with_suffix(".log.1"))
    main = "kubeferry.tasks.ports.prefect.server_main"
    argv = [sys.executable, "-m", main, "server", "start", "--host", HOST, "--port", str(port)]
    started = Record(processes.spawn(argv, _log(), settings(port, password), home()), port, guarded=True)
    local_server.save(started)
    return started


def _wait(started: Record) -> bool:
    """Wait until the server answers; return False if it has ended. Raises UnreachableError after LIMIT."""
    began = noted = time.monotonic()
    while not _up(started):
        if not processes.alive(started.process):
            return False
        now = time.monotonic()
        if now - began > LIMIT:
            processes.stop(started.process, GRACE)
            raise UnreachableError(f"the local Prefect server was not up within {LIMIT:.0f} s; its log is {_log()}")
        if now - noted > NOTED:
            noted = now
            progress.note(f"waiting for the local Prefect server ({now - began:.0f} s)…")
        time.sleep(0.1)
    return True


def _up(kept: Record) -> bool:
    """Return whether this server process is alive and answers on its port, which is this user's."""
    if not processes.alive(kept.process) or not local_server.ours(kept.port):
        return False
    try:
        prefect_api.greet(local(kept.port))
    except KubeferryError:
        return False
    return True
