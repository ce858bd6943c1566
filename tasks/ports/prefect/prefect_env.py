"""The environments of Prefect: of the local server, and of a process that runs flows against one.

Prefect reads its settings when it is imported, so these are made without it and set before. Nobody is told anything
about the runs; what a user has set for another Prefect does not reach the local server.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kubeferry.tasks.ports.local import paths as places
from kubeferry.tasks.ports.prefect import api as prefect_api

if TYPE_CHECKING:
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
    return places.state() / "prefect"


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
