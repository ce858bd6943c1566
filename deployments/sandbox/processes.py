"""Processes that outlive the command that started them: start, check, replace and stop them.

A process is only signalled if it is certainly ours. Pids are reused, so a record holds the pid and the start time of
the process. Each process also has a mark in its environment, by which it is found when its record is lost. All waiting
is polling with a limit.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kubeferry.deployments.sandbox import local, network
from kubeferry.deployments.sandbox.local import SandboxError, with_log
from kubeferry.tasks.ports.local import progress

if TYPE_CHECKING:
    from collections.abc import Callable


MARK = "KUBEFERRY_SANDBOX_PROCESS"
PROC = Path("/proc")

INHERITED = ("HOME", "PATH", "TMPDIR", "TZ")
"""The only variables that a process inherits: etcd and the S3 server read many options from their environment."""


@dataclass(frozen=True)
class Program:
    """A program to run; its record `run/NAME.json` and its log `logs/NAME.log` are in `folder`, that of a cluster."""

    name: str
    folder: Path
    argv: list[str]
    env: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def record(self) -> Path:
        """The file that holds its pid."""
        return self.folder / "run" / f"{self.name}.json"

    @property
    def log(self) -> Path:
        """The file of its output; that of the previous run is kept beside it as `.log.old`."""
        return self.folder / "logs" / f"{self.name}.log"

    @property
    def mark(self) -> str:
        """The value of its mark."""
        return str(self.record)

    def digest(self) -> str:
        """Return a digest of what it reads at start: arguments, environment, and the files that the arguments name."""
        named = [Path(argument.partition("=")[2]) for argument in self.argv]
        parts = [*self.argv, *(f"{name}={value}" for name, value in self.env.items())]
        read = [path.read_bytes() for path in named if path.is_file()]
        return hashlib.sha256(b"\0".join([*(part.encode() for part in parts), *read])).hexdigest()


def start(program: Program) -> int:
    """Start `program` in a session of its own, record it and return its pid."""
    program.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if program.log.exists():
        program.log.replace(program.log.with_suffix(".log.old"))
    env = {name: os.environ[name] for name in INHERITED if name in os.environ}
    out = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    # Not subprocess.Popen, which warns when its object is collected before the process ends, as is intended here.
    pid = os.posix_spawn(
        program.argv[0],
        program.argv,
        env | program.env | {MARK: program.mark},
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(program.log), out, local.PRIVATE),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )
    local.write_json(program.record, {"pid": pid, "born": born(pid), "digest": program.digest()})
    return pid


def running(record: Path) -> int | None:
    """Return the pid of the process in `record`, or None if it has ended or the pid now belongs to another one."""
    known = local.read_json(record)
    pid = known.get("pid")
    if not isinstance(pid, int) or born(pid) is None or born(pid) != known.get("born"):
        return None
    return pid


def runs_as(program: Program) -> bool:
    """Return whether the recorded process was started as `program` would be started now."""
    return local.read_json(program.record).get("digest") == program.digest()


def born(pid: int) -> str | None:
    """Return when process `pid` started, as text unique to this process; None if it is dead or a zombie."""
    with contextlib.suppress(ChildProcessError):  # not our child: another command started it
        os.waitpid(pid, os.WNOHANG)  # ours and dead: a zombie would count as alive
    return from_proc(pid) if PROC.joinpath("self").exists() else from_ps(pid)


def from_proc(pid: int) -> str | None:
    """Return the boot id and the start in clock ticks since boot, from fields 3, 20 and 22 of proc(5) stat.

    A zombie with other threads left counts as alive: those may still hold its ports.
    """
    try:
        stat = PROC.joinpath(str(pid), "stat").read_text()
        boot = PROC.joinpath("sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *rest = stat.rpartition(")")[2].split()  # the name before may hold blanks and brackets
    threads, ticks = rest[16], rest[18]
    dead = state == "X" or (state == "Z" and threads == "1")
    return None if dead else f"{boot}/{ticks}"


def from_ps(pid: int) -> str | None:
    """Return the start as `ps` prints it, where there is no /proc."""
    argv = ["/bin/ps", "-o", "lstart=", "-o", "stat=", "-p", str(pid)]
    words = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.split()  # noqa: S603 - fixed program
    return " ".join(words[:-1]) if words and not words[-1].startswith("Z") else None


def marked(mark: str) -> dict[int, str]:
    """Return pid → mark of living processes whose mark starts with `mark`, as far as /proc shows environments."""
    found = {}
    for path in PROC.glob("[0-9]*/environ"):
        try:
            env = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has ended meanwhile, or is another user's
            continue
        pid = int(path.parent.name)
        value = next((entry.removeprefix(f"{MARK}=") for entry in env if entry.startswith(f"{MARK}=")), "")
        if value.startswith(mark) and value and born(pid):
            found[pid] = value
    return found


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to `pid`, if it still exists."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


LOOK_EVERY = 0.05
HUNG = 15.0
"""Seconds after which a process that runs but is unhealthy counts as hung and is replaced."""
START = 90.0
"""Seconds that a process may take to become healthy: 3 on an idle machine, much more on a busy one."""
TERM = 3.0
"""Seconds between SIGTERM and SIGKILL. An API server with connected clients would take a minute to end; killing it
loses nothing, since etcd has all that it acknowledged."""
KILLED = 10.0
"""Seconds that the system may take to end a killed process."""
RELEASE = 5.0
"""Seconds that a port may stay in use after its process died: its last thread holds it a little longer."""


def ensure(program: Program, port: int, healthy: Callable[[], bool]) -> None:
    """Return when `program` runs with its current arguments and is healthy; start or replace it if needed.

    Raises SandboxError when it dies or stays unhealthy (with the last lines of its log as notes), or when another
    program has its port.
    """
    pid = running(program.record)
    if pid and runs_as(program):
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
    start(program)
    if reached(healthy, START, program.record):
        return
    if running(program.record):
        raise with_log(f"{label(program)} is not healthy after {START:.0f} s", program.log)
    raise with_log(f"{label(program)} died at its start", program.log)


def reached(healthy: Callable[[], bool], limit: float, record: Path) -> bool:
    """Wait until `healthy`; return False once `limit` seconds have passed or the recorded process is gone."""
    until = time.monotonic() + limit
    while time.monotonic() < until and running(record):
        if healthy():
            return True
        time.sleep(LOOK_EVERY)
    return False


def released(port: int) -> bool:
    """Wait until nothing listens on `port`; return False after RELEASE seconds: another program has it."""
    until = time.monotonic() + RELEASE
    while not network.free(port):
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_EVERY)
    return True


def strays(program: Program) -> list[int]:
    """Return the pids that run as this program already: as recorded, or by their mark if the record is lost."""
    pid = running(program.record)
    return sorted({*marked(program.mark), *([pid] if pid else [])})


def stop(program_record: Path) -> None:
    """End the recorded process, if it is still the same one, and remove the record."""
    pid = running(program_record)
    if pid:
        end(pid)
    program_record.unlink(missing_ok=True)


def end(pid: int) -> None:
    """End process `pid`: SIGTERM, and after a while SIGKILL. The caller knows that the process is ours."""
    began = born(pid)
    for number, limit in ((signal.SIGTERM, TERM), (signal.SIGKILL, KILLED)):
        if began is None or born(pid) != began:
            return
        send(pid, number)
        until = time.monotonic() + limit
        while born(pid) == began and time.monotonic() < until:
            time.sleep(LOOK_EVERY)
    if born(pid) == began:
        raise SandboxError(f"process {pid} of the sandbox does not end, not even by SIGKILL")


def label(program: Program) -> str:
    """Return the display name of a process: `kubeferry-a/etcd`."""
    return f"{program.folder.name}/{program.name}"
