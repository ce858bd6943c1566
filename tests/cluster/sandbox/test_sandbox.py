"""The sandbox comes up whatever state it was left in, and leaves no trace. Each test may break its own sandbox."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.limits import LIMIT, until
from tests.support.tiers import fast

from kubeferry.deployments.sandbox import network, processes
from kubeferry.deployments.sandbox.cluster import Cluster
from kubeferry.deployments.sandbox.local import SandboxError
from kubeferry.deployments.sandbox.sandbox import Sandbox
from kubeferry.tasks.core.errors import UsageError


@pytest.fixture(scope="module")
def own():
    """A sandbox of one cluster that tests here may break; each leaves it in a state that `up` repairs."""
    with tempfile.TemporaryDirectory(prefix="kf-") as home:
        sandbox = Sandbox(Path(home) / "sandbox")
        try:
            sandbox.up(clusters=1)
            yield sandbox
        finally:
            sandbox.down(purge=True)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """An API server that is replaced while its clients live takes all the time it is given to end."""
    monkeypatch.setattr(processes, "TERM", 1.0)


@pytest.fixture
def patient(monkeypatch):
    """A process that is slow has not hung."""
    monkeypatch.setattr(processes, "HUNG", float(LIMIT))


def pids(sandbox):
    return {row.name: row.pid for row in sandbox.status()}


def marked(sandbox):
    return sorted(processes.marked(f"{sandbox.home}/"))


def all_healthy(sandbox):
    """Return whether all are; a busy one needs another try."""
    return until(lambda: all(row.healthy for row in sandbox.status()))


@pytest.mark.usefixtures("patient")
def test_up_again_changes_nothing(own):
    own.up(clusters=1)
    before = pids(own)
    own.up(clusters=1)
    assert pids(own) == before
    assert sorted(before.values()) == marked(own)
    assert own.contexts() == ["kubeferry-a"]


@pytest.mark.soak
def test_two_ups_at_once_start_nothing_twice(own):
    own.down()
    program = (
        "import sys, pathlib; from kubeferry.deployments.sandbox.sandbox import Sandbox; "
        "Sandbox(pathlib.Path(sys.argv[1])).up(clusters=1)"
    )
    argv = [sys.executable, "-c", program, str(own.home)]
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda _: subprocess.run(argv, capture_output=True, text=True, check=False), range(2)))
    assert [one.returncode for one in ended] == [0, 0], [one.stderr for one in ended]
    assert sorted(pids(own).values()) == marked(own)
    assert all_healthy(own)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("name", fast(["etcd", "kube-apiserver", "kube-controller-manager", "kwok"], "kube-apiserver"))
def test_a_killed_process_comes_back_and_nothing_is_lost(own, kubectl, name):
    own.up(clusters=1)
    kubectl(own, "create", "configmap", f"before-{name}", "--from-literal=key=value")
    before = pids(own)
    os.kill(before[f"kubeferry-a/{name}"], signal.SIGKILL)
    own.up(clusters=1)
    assert all_healthy(own)
    changed = {process for process, pid in pids(own).items() if before[process] != pid}
    assert changed == {f"kubeferry-a/{name}"}
    assert kubectl(own, "get", "configmap", f"before-{name}", "-o", "jsonpath={.data.key}") == "value"


@pytest.mark.soak
def test_a_hung_process_is_replaced(own, monkeypatch):
    own.up(clusters=1)
    monkeypatch.setattr(processes, "HUNG", 0.5)
    before = pids(own)["kubeferry-a/kube-scheduler"]
    os.kill(before, signal.SIGSTOP)
    own.up(clusters=1)
    assert all_healthy(own)
    assert pids(own)["kubeferry-a/kube-scheduler"] != before
    assert before not in marked(own)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: [path.unlink() for path in (folder / "run").iterdir()],
        lambda folder: (folder / "run" / "etcd.json").write_text('{"pid": 4'),
        lambda folder: (folder / "ports.json").write_text('{"etcd":'),
        lambda folder: (folder / "tokens.csv").write_text("abc,admin"),
        lambda folder: (folder / "pki" / "server.key").unlink(),
        lambda folder: (folder.parent / "kubeconfig").unlink(),
        lambda folder: (folder.parent / "s3" / "credentials.json").write_text(""),
    ],
    ids=["records lost", "record cut", "ports cut", "tokens cut", "key lost", "kubeconfig lost", "credentials cut"],
)
@pytest.mark.soak
def test_half_written_state_is_repaired(own, kubectl, spoil):
    own.up(clusters=1)
    spoil(own.home / "kubeferry-a")
    own.up(clusters=1)
    assert all_healthy(own)
    assert sorted(pids(own).values()) == marked(own)
    assert len(kubectl(own, "get", "nodes", "-o", "name").split()) == 3


@pytest.mark.parametrize(
    "dead", [(), pytest.param(("etcd",), marks=pytest.mark.soak), ("kube-apiserver", "kwok")], ids=str
)
def test_down_leaves_no_process_and_no_port(own, dead):
    own.up(clusters=1)
    rows = own.status()
    for name in dead:
        os.kill(next(row.pid for row in rows if row.name == f"kubeferry-a/{name}"), signal.SIGKILL)
    own.down()
    assert [row.pid for row in own.status()] == [None] * len(rows)
    assert [row.pid for row in rows if processes.born(row.pid)] == []
    assert marked(own) == []
    used = [*(row.port for row in rows), Cluster(own.home, 0).ports["etcd-peer"]]
    assert [port for port in used if not network.free(port)] == []


@pytest.mark.soak
def test_down_finds_processes_whose_records_were_lost(own):
    own.up(clusters=1)
    for record in own.home.glob("*/run/*.json"):
        record.unlink()
    assert len(marked(own)) == 6
    own.down()
    assert marked(own) == []


@pytest.mark.soak
def test_a_stolen_port_is_reported_by_process_and_number(own, monkeypatch):
    monkeypatch.setattr(processes, "RELEASE", 0.2)
    own.up(clusters=1)
    own.down()
    port = Cluster(own.home, 0).ports["kube-apiserver"]
    message = rf"kubeferry-a/kube-apiserver .*port {port}"
    with socket.create_server((network.LOOPBACK, port)), pytest.raises(SandboxError, match=message):
        own.up(clusters=1)
    own.up(clusters=1)
    assert all_healthy(own)


@pytest.mark.soak
def test_a_process_that_dies_at_its_start_is_reported_with_its_log(own):
    own.up(clusters=1)
    own.down()
    data = own.home / "kubeferry-a" / "data"
    kept = data.rename(data.with_name("kept"))
    data.write_text("not a folder")
    try:
        with pytest.raises(SandboxError, match=r"(?s)kubeferry-a/etcd died at its start.*not a directory"):
            own.up(clusters=1)
    finally:
        data.unlink()
        kept.rename(data)


def test_purge_deletes_everything(tmp_path):
    sandbox = Sandbox(tmp_path / "sandbox")
    sandbox.down(purge=True)
    sandbox.home.mkdir()
    (sandbox.home / "kubeconfig").write_text("")
    sandbox.down(purge=True)
    assert not sandbox.home.exists()


@pytest.mark.parametrize("count", [0, -1, 27])
def test_an_impossible_number_of_clusters_is_refused(tmp_path, count):
    with pytest.raises(UsageError, match=str(count)):
        Sandbox(tmp_path / "sandbox").up(clusters=count)
