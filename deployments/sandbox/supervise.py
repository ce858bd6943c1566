"""Bring one process to where it should be: running and healthy, or gone. Waits by looking, with limits."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from kubeferry.deployments.sandbox import ports, processes
from kubeferry.deployments.sandbox.failure import SandboxError, with_log
from kubeferry.tasks.ports.local import progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kubeferry.deployments.sandbox.processes import Program

LOOK_EVERY = 0.05
HUNG = 15.0
"""Seconds after which a process that we found running, yet unhealthy, is taken for hung and replaced."""
START = 90.0
"""Seconds that a process may take to become healthy: 3 on an idle machine, much more on a busy one."""
TERM = 3.0
"""Seconds between SIGTERM and SIGKILL. An API server whose clients are still there would take a minute to end; killing
it loses nothing, since etcd has all that it answered."""
KILLED = 10.0
"""Seconds that the system may take to end a killed process."""
RELEASE = 5.0
"""Seconds that a port may stay taken after its process died: the last of its threads holds it a little longer."""


def ensure(program: Program, port: int, healthy: Callable[[], bool]) -> None:
    """Return when `program` runs as it would be started now and is healthy; start or replace it where needed.

    Raises SandboxError when it dies or stays unhealthy (with the last lines of its log as notes), or when another
    program has its port.
    """
    pid = processes.running(program.record)
    if pid and processes.runs_as(program):
        if reached(healthy, HUNG, program.record):
            return
        progress.note(f"{label(program)} does not answer: replacing it")
    for stale in strays(program):
        end(stale)
    if not released(port):
        raise SandboxError(
            f"{label(program)} cannot start: another program listens on its port {port}. "
            "Stop that one, or `kubeferry sandbox down --purge` and `up` to get other ports (deletes the clusters)"
        )
    processes.start(program)
    if reached(healthy, START, program.record):
        return
    if processes.running(program.record):
        raise with_log(f"{label(program)} is not healthy after {START:.0f} s", program.log)
    raise with_log(f"{label(program)} died at its start", program.log)


def reached(healthy: Callable[[], bool], limit: float, record: Path) -> bool:
    """Wait until `healthy`; return False once `limit` seconds have passed or the recorded process is gone."""
    until = time.monotonic() + limit
    while time.monotonic() < until and processes.running(record):
        if healthy():
            return True
        time.sleep(LOOK_EVERY)
    return False


def released(port: int) -> bool:
    """Wait until nothing listens on `port`; return False when that takes too long: it is another program's."""
    until = time.monotonic() + RELEASE
    while not ports.free(port):
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_EVERY)
    return True


def strays(program: Program) -> list[int]:
    """Return what runs as this program already: as recorded, or marked as ours with its record lost."""
    pid = processes.running(program.record)
    return sorted({*processes.marked(program.mark), *([pid] if pid else [])})


def stop(program_record: Path) -> None:
    """End the recorded process, if it is still the one that was recorded, and forget it."""
    pid = processes.running(program_record)
    if pid:
        end(pid)
    program_record.unlink(missing_ok=True)


def end(pid: int) -> None:
    """End process `pid`: SIGTERM, and SIGKILL when that did not do after a while. The caller knows that it is ours."""
    born = processes.born(pid)
    for number, limit in ((signal.SIGTERM, TERM), (signal.SIGKILL, KILLED)):
        if born is None or processes.born(pid) != born:
            return
        processes.send(pid, number)
        until = time.monotonic() + limit
        while processes.born(pid) == born and time.monotonic() < until:
            time.sleep(LOOK_EVERY)
    if processes.born(pid) == born:
        raise SandboxError(f"process {pid} of the sandbox does not end, even by SIGKILL")


def label(program: Program) -> str:
    """Return how people call a process: `kubeferry-a/etcd`."""
    return f"{program.folder.name}/{program.name}"
