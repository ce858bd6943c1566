"""Processes, ports, files and addresses of the sandbox, with programs that take no cluster to start."""

import json
import os
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.support.limits import until

from kubeferry.deployments.sandbox import credentials, local, network, processes
from kubeferry.deployments.sandbox.local import SandboxError
from kubeferry.deployments.sandbox.network import MOST, NODES, Network
from kubeferry.deployments.sandbox.processes import Program


@pytest.fixture
def program(tmp_path):
    one = Program("sleeper", tmp_path / "place", ["/bin/sleep", "600"])
    yield one
    for pid in processes.strays(one):
        processes.end(pid)


@pytest.fixture
def port():
    return network.pick(set())


@pytest.fixture
def stranger():
    """A process that is not the sandbox's."""
    with subprocess.Popen(["/bin/sleep", "600"]) as process:
        yield process
        process.kill()


def test_a_recycled_pid_is_not_taken_for_ours_and_never_killed(program, stranger, port):
    record = {"pid": stranger.pid, "born": "an earlier boot/12345", "digest": program.digest()}
    local.write_json(program.record, record)
    assert processes.running(program.record) is None
    processes.ensure(program, port, lambda: True)
    assert processes.running(program.record) != stranger.pid
    local.write_json(program.record, record)
    processes.stop(program.record)
    assert stranger.poll() is None


def test_a_process_outlives_nothing_it_should_not(program, port):
    """Started, it is found; killed from outside, it is gone at once, though it is still our zombie child."""
    processes.ensure(program, port, lambda: True)
    pid = processes.running(program.record)
    # The kernel shows the environment of a process a moment after it has begun to run the program.
    assert until(lambda: list(processes.marked(program.mark))) == [pid]
    assert os.getsid(pid) == pid
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert processes.running(program.record) is None


def test_changed_arguments_restart_it(program, port):
    processes.ensure(program, port, lambda: True)
    first = processes.running(program.record)
    changed = Program(program.name, program.folder, ["/bin/sleep", "601"])
    processes.ensure(changed, port, lambda: True)
    assert processes.running(program.record) != first
    assert processes.born(first) is None


def test_a_changed_file_that_it_reads_restarts_it(tmp_path, port):
    tokens = tmp_path / "tokens"
    tokens.write_text("one")
    one = Program("reader", tmp_path / "place", ["/bin/sh", "-c", "sleep 600", f"--file={tokens}"])
    processes.ensure(one, port, lambda: True)
    first = processes.running(one.record)
    processes.ensure(one, port, lambda: True)
    assert processes.running(one.record) == first
    tokens.write_text("two")
    processes.ensure(one, port, lambda: True)
    assert processes.running(one.record) != first
    processes.stop(one.record)


def test_one_that_ignores_sigterm_is_killed(tmp_path, port, monkeypatch):
    monkeypatch.setattr(processes, "TERM", 0.3)
    ready = tmp_path / "ready"
    script = f"trap '' TERM; touch {ready}; while :; do sleep 600 & wait; done"
    one = Program("stubborn", tmp_path / "place", ["/bin/sh", "-c", script])
    processes.ensure(one, port, ready.exists)
    pid = processes.running(one.record)
    processes.stop(one.record)
    assert processes.born(pid) is None
    for child in processes.marked(one.mark):  # the shell's own sleep
        processes.end(child)


def test_a_death_at_the_start_shows_the_last_lines_of_the_log(tmp_path, port):
    one = Program("dying", tmp_path / "place", ["/bin/sh", "-c", "seq 1 50; echo the reason >&2; exit 3"])
    with pytest.raises(SandboxError, match=r"place/dying died at its start \(log: ") as failure:
        processes.ensure(one, port, lambda: False)
    assert failure.value.__notes__ == [*(f"  {number}" for number in range(40, 51)), "  the reason"]


def test_the_log_of_the_run_before_is_kept(program, port):
    for _ in range(2):
        processes.ensure(program, port, lambda: True)
        program.log.write_text("logged")
        processes.stop(program.record)
    assert program.log.with_suffix(".log.old").read_text() == "logged"


def test_only_the_needed_environment_is_handed_on(tmp_path, port, monkeypatch):
    monkeypatch.setenv("ETCD_DATA_DIR", "/elsewhere")
    one = Program("teller", tmp_path / "place", ["/bin/sh", "-c", "env; sleep 600"], {"GIVEN": "yes"})
    processes.ensure(one, port, lambda: "GIVEN=yes" in one.log.read_text() if one.log.exists() else False)
    processes.stop(one.record)
    assert "ETCD_DATA_DIR" not in one.log.read_text()


def test_ports_are_kept_and_repaired(tmp_path):
    path = tmp_path / "ports.json"
    first = network.assign(path, ["a", "b"])
    assert len({*first.values()}) == 2
    assert network.assign(path, ["a", "b"]) == first
    path.write_text(json.dumps({"a": first["a"], "b": "x"}))
    assert network.assign(path, ["a", "b"])["a"] == first["a"]


@pytest.fixture
def few_ports(monkeypatch, tmp_path):
    """There are only twelve ports, and a cache folder that knows of no sandbox."""
    monkeypatch.setenv("KUBEFERRY_CACHE", str(tmp_path / "cache"))
    # Below those from which the sandboxes of other workers take theirs meanwhile.
    starts = range(19000, network.RANGE.start - 12, 12)
    start = next(start for start in starts if all(map(network.free, range(start, start + 12))))
    monkeypatch.setattr(network, "RANGE", range(start, start + 12))
    return tmp_path / "sandboxes"


def test_a_port_on_which_nothing_listens_yet_belongs_to_one_sandbox(few_ports):
    """No program is started here: the ports of a sandbox that is stopped, or about to start, are not given again."""
    first, second = few_ports / "first.json", few_ports / "second.json"
    ports = [*network.assign(first, "abcdef").values(), *network.assign(second, "abcdef").values()]
    assert sorted(ports) == list(network.RANGE)
    with pytest.raises(SandboxError, match="no free port"):
        network.assign(few_ports / "third.json", "a")
    first.unlink()
    assert set(network.assign(few_ports / "third.json", "abcdef").values()) == set(ports[:6])


def test_ports_chosen_at_once_differ(few_ports):
    with ThreadPoolExecutor(12) as pool:
        chosen = list(pool.map(lambda name: network.assign(few_ports / name, ["a"])["a"], "abcdefghijkl"))
    assert sorted(chosen) == list(network.RANGE)


def test_a_spoiled_list_of_ports_is_made_again(few_ports, tmp_path):
    network.assign(few_ports / "first.json", "abc")
    (tmp_path / "cache" / "ports.json").write_text('{"/elsewhere": 7, "' + str(tmp_path) + '": {"a": "b"}}')
    network.assign(few_ports / "second.json", "abc")
    assert json.loads((tmp_path / "cache" / "ports.json").read_text())[str(few_ports / "second.json")]


def test_a_port_in_use_is_not_free(port):
    with socket.create_server((network.LOOPBACK, port)):
        assert not network.free(port)
    assert network.free(port)


def test_no_two_clusters_share_an_address():
    every = [Network(index) for index in range(MOST)]
    blocks = [block for one in every for block in (one.pods, one.services)]
    assert not any(a.overlaps(b) for a in blocks for b in blocks if a is not b)
    assert len({one.node(number) for one in every for number in range(NODES)}) == MOST * NODES


def test_half_written_credentials_are_made_again(tmp_path):
    path = tmp_path / "tokens.csv"
    first = credentials.tokens(path)
    assert credentials.tokens(path) == first
    path.write_text(path.read_text()[:60])
    again = credentials.tokens(path)
    assert set(again) == set(first)
    assert again["admin"] != first["admin"]


def test_keys_are_made_once_and_again_when_one_is_lost(tmp_path):
    folder = tmp_path / "pki"
    credentials.ensure(folder, Network(0).services[1])
    assert {path.name for path in folder.iterdir()} == credentials.MADE
    first = (folder / "ca.crt").read_text()
    credentials.ensure(folder, Network(0).services[1])
    assert (folder / "ca.crt").read_text() == first
    (folder / "sa.key").unlink()
    credentials.ensure(folder, Network(0).services[1])
    assert (folder / "ca.crt").read_text() != first
    assert [path.name for path in tmp_path.iterdir()] == ["pki"]
