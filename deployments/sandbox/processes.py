"""Processes that outlive the command that started them, and that are ours beyond doubt before we signal them.

A pid alone proves nothing, since pids are used again: a record holds the pid and the time at which that process
started. Each process also carries a mark in its environment, so that one whose record was lost is found again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kubeferry.deployments.sandbox import local as files

if TYPE_CHECKING:
    import signal

MARK = "KUBEFERRY_SANDBOX_PROCESS"
PROC = Path("/proc")

INHERITED = ("HOME", "PATH", "TMPDIR", "TZ")
"""All that a process gets of our environment: etcd and the S3 server read many options from theirs."""


@dataclass(frozen=True)
class Program:
    """What to run: `folder` (of one cluster) gets its record, `run/NAME.json`, and its log, `logs/NAME.log`."""

    name: str
    folder: Path
    argv: list[str]
    env: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def record(self) -> Path:
        """Where its pid is kept."""
        return self.folder / "run" / f"{self.name}.json"

    @property
    def log(self) -> Path:
        """Where it writes; what the run before wrote is kept beside it as `.log.old`."""
        return self.folder / "logs" / f"{self.name}.log"

    @property
    def mark(self) -> str:
        """The value of its mark."""
        return str(self.record)

    def digest(self) -> str:
        """Return a digest of all that it reads at its start: arguments, environment, and the files they name."""
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
    # Not subprocess.Popen: that one warns when its object goes while the process lives, which is what is wanted here.
    pid = os.posix_spawn(
        program.argv[0],
        program.argv,
        env | program.env | {MARK: program.mark},
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(program.log), out, files.PRIVATE),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )
    files.write_json(program.record, {"pid": pid, "born": born(pid), "digest": program.digest()})
    return pid


def running(record: Path) -> int | None:
    """Return the pid of the process that `record` tells of, or None when it is gone or the pid is another's now."""
    told = files.read_json(record)
    pid = told.get("pid")
    if not isinstance(pid, int) or born(pid) is None or born(pid) != told.get("born"):
        return None
    return pid


def runs_as(program: Program) -> bool:
    """Tell whether the recorded process was started with what `program` would be started with now."""
    return files.read_json(program.record).get("digest") == program.digest()


def born(pid: int) -> str | None:
    """Return when process `pid` started, as text that no other process shares; None when it is dead or a zombie."""
    with contextlib.suppress(ChildProcessError):  # not our child: another command started it
        os.waitpid(pid, os.WNOHANG)  # ours and dead: a zombie would count as alive
    return from_proc(pid) if PROC.joinpath("self").exists() else from_ps(pid)


def from_proc(pid: int) -> str | None:
    """Return the boot's id and the start in clock ticks since boot: fields 3, 20 and 22 of proc(5) stat.

    A zombie counts as alive while other threads of it are left: those may still hold its ports.
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
    told = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.split()  # noqa: S603 - fixed program
    return " ".join(told[:-1]) if told and not told[-1].startswith("Z") else None


def marked(mark: str) -> dict[int, str]:
    """Return pid → mark of living processes whose mark starts with `mark`, as far as /proc shows environments."""
    found = {}
    for path in PROC.glob("[0-9]*/environ"):
        try:
            env = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:  # gone meanwhile, or another user's
            continue
        pid = int(path.parent.name)
        value = next((entry.removeprefix(f"{MARK}=") for entry in env if entry.startswith(f"{MARK}=")), "")
        if value.startswith(mark) and value and born(pid):
            found[pid] = value
    return found


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to `pid`; one that is gone already is fine."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
