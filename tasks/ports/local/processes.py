"""Long-lived local processes: start them detached, identify them later, stop them with their children.

A process is identified by its pid and start time, so a reused pid is never signalled. Every process leads its own
session: closing the terminal does not end it, and its children are found by their process group. Linux is read from
/proc, other systems from `ps`.
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kubeferry.tasks.core.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROC = Path("/proc")
MACHINE = Path("/etc/machine-id")
POLL = 0.02
"""Seconds between two checks of a process that is being stopped."""

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Children of this process, which must reap them: otherwise they stay as zombies."""


@dataclass(frozen=True)
class Process:
    """A process of this machine, as a state file records it."""

    pid: int
    started: str
    """Its start time as the system reports it: opaque, only compared."""


class _Stat(NamedTuple):
    ended: bool
    group: int
    started: str


def spawn(argv: Sequence[str], log: Path, env: Mapping[str, str], cwd: Path) -> Process:
    """Start `argv` in its own session, with stdin closed and both outputs appended to `log` (mode 0600).

    Args:
        argv: the program and its arguments; no shell is involved.
        log: the file for both outputs; it and its folder are created if missing.
        env: the whole environment of the process.
        cwd: its working folder.

    Raises:
        PermanentError: the program does not exist or cannot be run, or the log cannot be written.
    """
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            child = subprocess.Popen(  # noqa: S603 - no shell; the caller's own programs
                list(argv), stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, cwd=cwd, start_new_session=True
            )
        finally:
            os.close(out)
    except OSError as error:
        raise PermanentError(f"cannot start {argv[0]}: {error.strerror}: {error.filename}") from error
    _children[child.pid] = child
    stat = _stat(child.pid)  # never missing: a child that has already ended is not reaped yet
    return Process(child.pid, stat.started if stat else "")


def myself() -> Process:
    """Return this process."""
    stat = _stat(os.getpid())
    return Process(os.getpid(), stat.started if stat else "")


def space() -> str:
    """Return the pid namespace and the machine id (hashed) of this process: who has the same sees the same processes.

    "" where one of them is unknown, as in an image without /etc/machine-id, and on other systems than Linux. The
    machine id itself is not for others to read (machine-id(5)).
    """
    try:
        inside = (PROC / "self/ns/pid").readlink().name
        machine = MACHINE.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    if not machine or machine == "uninitialized":
        return ""
    return f"{inside}/{hashlib.sha256(f'kubeferry {machine}'.encode()).hexdigest()[:16]}"


def ended(process: Process) -> bool:
    """Return whether a process has ended for certain: what /proc hides (hidepid, processes of others) has not.

    One that ends in this moment may count as running still.
    """
    _reap(process.pid)
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it exists, and belongs to another user
    try:
        stat = _stat(process.pid)
    except PermissionError:
        return False
    return stat is not None and (stat.ended or stat.started != process.started)


def alive(process: Process) -> bool:
    """Return whether `process` itself (not a later process with its pid) still runs; a zombie does not."""
    stat = _known(process)
    return stat is not None and not stat.ended


def stop(process: Process, grace: float) -> None:
    """End `process` and its children: SIGTERM, up to `grace` seconds, then SIGKILL. Do nothing if it has ended.

    Raises:
        PermanentError: it still runs 5 s after SIGKILL, or it belongs to another user.
    """
    if _known(process) is None:
        return
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        _signal(process, number)
        deadline = time.monotonic() + seconds
        while _members(process):
            if time.monotonic() > deadline:
                break
            time.sleep(POLL)
        else:
            return
    raise PermanentError(f"process {process.pid} does not end, not even on SIGKILL")


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free now. Use it soon."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Return whether a process accepts connections on 127.0.0.1:`port`."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def tail(log: Path, lines: int) -> str:
    """Return the last `lines` lines of `log` (from its last 64 KiB); "" if there is no log."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 65536))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _signal(process: Process, number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise PermanentError(f"process {process.pid} belongs to another user: it cannot be stopped") from error


def _members(process: Process) -> list[int]:
    """List what still runs in the process group of `process`. A pid is not reused while its group has members."""
    _reap(process.pid)
    return [pid for pid in _pids() if (s := _stat(pid)) and s.group == process.pid and not s.ended]


def _known(process: Process) -> _Stat | None:
    _reap(process.pid)
    stat = _stat(process.pid)
    return stat if stat and stat.started == process.started else None


def _reap(pid: int) -> None:
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]


def _pids() -> list[int]:
    if PROC.joinpath("self").exists():
        return [int(folder.name) for folder in PROC.iterdir() if folder.name.isdigit()]
    return [int(word) for word in _ps("-axo", "pid=").split()]


def _stat(pid: int) -> _Stat | None:
    if not PROC.joinpath("self").exists():
        words = _ps("-o", "stat=,pgid=,lstart=", "-p", str(pid)).split()
        return _Stat(words[0].startswith("Z"), int(words[1]), " ".join(words[2:])) if words else None
    try:
        text = (PROC / str(pid) / "stat").read_text()
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # proc(5): the name in brackets may contain anything; after it: state, ppid, pgrp … and in field 22 the start in
    # ticks since boot. The boot id tells it from a process before a reboot. A zombie whose other threads (counted in
    # field 20) are still ending holds its ports and files until they have ended.
    words = text.rpartition(")")[2].split()
    return _Stat(words[0] == "Z" and int(words[17]) <= 1, int(words[2]), f"{boot}:{words[19]}")


def _ps(*options: str) -> str:
    done = subprocess.run(["ps", *options], capture_output=True, text=True, check=False)  # noqa: S603, S607 - fixed words; `ps` is where the system has it
    return done.stdout
