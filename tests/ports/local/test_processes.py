"""Processes are started detached, known again, stopped with their children, and never mistaken for others."""

import os
import signal
import socket
import sys
import time
from dataclasses import replace

import pytest
from tests.support.limits import LIMIT

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.ports.local import processes

PARENT_AND_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""
THREADED = """
import socket, threading, time
server = socket.create_server(("127.0.0.1", 0))
for _ in range(30):
    threading.Thread(target=time.sleep, args=(60,)).start()
print(server.getsockname()[1], flush=True)
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


@pytest.fixture
def start(tmp_path):
    started = []

    def run(code):
        started.append(processes.spawn([sys.executable, "-c", code], tmp_path / "log", dict(os.environ), tmp_path))
        return started[-1]

    yield run
    for process in started:
        processes.stop(process, 0)


def until(condition, seconds=LIMIT):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def test_a_process_leads_its_own_session_with_stdin_closed_and_a_private_log(start, tmp_path):
    process = start(
        "import sys, os; print('read', repr(sys.stdin.read()), os.getsid(0) == os.getpid()); sys.exit('end')"
    )
    until(lambda: not processes.alive(process))
    assert processes.tail(tmp_path / "log", 5) == "read '' True\nend"
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_stop_ends_the_children_too(start, tmp_path):
    process = start(PARENT_AND_CHILD)
    until(lambda: processes.tail(tmp_path / "log", 1))
    child = int(processes.tail(tmp_path / "log", 1))
    assert processes.alive(process)
    processes.stop(process, 5)
    assert not processes.alive(process)
    until(lambda: (stat := processes._stat(child)) is None or stat.ended)


def test_stop_kills_what_ignores_sigterm(start, tmp_path):
    process = start(DEAF)
    until(lambda: processes.tail(tmp_path / "log", 1) == "deaf")
    processes.stop(process, 0.05)
    assert not processes.alive(process)


def test_a_killed_process_is_alive_until_its_port_is_free(start, tmp_path):
    for _ in range(20):
        process = start(THREADED)
        until(lambda: processes.tail(tmp_path / "log", 1).isdigit())
        port = int(processes.tail(tmp_path / "log", 1))
        os.kill(process.pid, signal.SIGKILL)
        until(lambda process=process: not processes.alive(process))
        assert not processes.listens(port)
        (tmp_path / "log").write_bytes(b"")


def test_a_recycled_pid_is_neither_alive_nor_signalled(start):
    process = start("import time; time.sleep(60)")
    recycled = replace(process, started=process.started + "0")
    assert not processes.alive(recycled)
    processes.stop(recycled, 0)
    assert processes.alive(process)


def test_an_unreaped_process_is_not_alive(start):
    process = start("import time; time.sleep(60)")
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: not processes.alive(process))
    processes.stop(process, 0)


def test_what_cannot_be_started_is_named(tmp_path):
    with pytest.raises(PermanentError, match="cannot start no-such-program"):
        processes.spawn(["no-such-program"], tmp_path / "log", dict(os.environ), tmp_path)


def test_tail_gives_the_last_lines_only(tmp_path):
    log = tmp_path / "log"
    assert processes.tail(log, 3) == ""
    log.write_bytes(b"x" * 70_000 + b"\none\ntw\xff\n")
    assert processes.tail(log, 2) == "one\ntw\N{REPLACEMENT CHARACTER}"
    assert len(processes.tail(log, 9)) < 65_600


def test_a_free_port_can_be_taken():
    port = processes.free_port()
    assert not processes.listens(port)
    with socket.create_server(("127.0.0.1", port)):
        assert processes.listens(port)


def test_without_proc_ps_shows_the_same(start, monkeypatch, tmp_path):
    process = start("import time; time.sleep(60)")
    monkeypatch.setattr(processes, "PROC", tmp_path)
    there = processes._stat(process.pid)
    assert there is not None
    assert there.group == process.pid
    assert process.pid in processes._pids()
    assert processes._stat(2**22 + 1) is None
