"""What the sandbox's clusters are to others: real in their workloads, rights and certificates, and on loopback only."""

import json
import os
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from tests.support.bench import A
from tests.support.limits import until

from kubeferry.deployments.sandbox import http
from kubeferry.deployments.sandbox.cluster import Cluster
from kubeferry.flows.cli import main
from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.ports.cluster.client import connect

SECRETS = ResourceType("", "v1", "Secret", "secrets", namespaced=True)
WORKLOADS = (Path(__file__).parents[2] / "data" / "sandbox" / "workloads.yaml").read_text()


@pytest.fixture(params=[0, 1])
def cluster(sandbox, request):
    return Cluster(sandbox.home, request.param)


@pytest.fixture
def run(sandbox, cluster, kubectl):
    """Run kubectl in a fresh namespace of `cluster`."""
    name = f"sandbox-{uuid4().hex[:6]}"
    kubectl(sandbox, "create", "namespace", name, context=cluster.name)

    def run(*args, **more):
        return kubectl(sandbox, "-n", name, *args, **{"context": cluster.name, **more})

    run.namespace = name
    yield run
    kubectl(sandbox, "delete", "namespace", name, "--wait=false", context=cluster.name)


def got(run, *what):
    return json.loads(run("get", *what, "-o", "json"))


def listening(pid):
    """Return (address in hex, port) of the TCP sockets, of both families, on which process `pid` listens."""
    held = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it is at work: one that it has closed since does not listen
            held.add(str(fd.readlink()))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in held:
                address, port = fields[1].split(":")
                found.add((address, int(port, 16)))
    return found


def test_workloads_live_as_on_a_real_cluster(run, cluster):
    """Pods run with addresses of this cluster, Jobs complete, claims of each class are Bound, tokens are filled in."""
    run("apply", "-f", "-", text=WORKLOADS)
    run("wait", "deployment/web", "--for=condition=Available", "--timeout=600s")
    run("wait", "job/once", "--for=condition=Complete", "--timeout=600s")
    for claim in ("at-once", "with-its-pod", "kept"):
        run("wait", f"pvc/{claim}", "--for=jsonpath={.status.phase}=Bound", "--timeout=600s")
    run("wait", "secret/token", "--for=jsonpath={.data.token}", "--timeout=600s")
    run("wait", "pod/crashing", "--for=jsonpath={.status.phase}=Running", "--timeout=600s")

    pods = [pod["status"] for pod in got(run, "pods", "-l", "app=web")["items"]]
    assert [pod["phase"] for pod in pods] == ["Running", "Running"]
    assert all(ip_address(pod["podIP"]) in cluster.network.pods for pod in pods)
    assert {pod["hostIP"] for pod in pods} <= {str(cluster.network.node(number)) for number in range(3)}
    assert ip_address(got(run, "service", "web")["spec"]["clusterIP"]) in cluster.network.services
    assert got(run, "pod", "held")["status"]["phase"] == "Pending"
    waiting = got(run, "pod", "crashing")["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] == "CrashLoopBackOff"
    assert got(run, "pvc", "without-a-pod")["status"]["phase"] == "Pending"


def test_a_pod_that_is_made_again_at_once_stays(bench):
    """As on a real node, which deletes by uid: kwok deletes by name, and took one of eight of the next pods."""
    name, kind, cluster = bench.namespace("again"), bench.kind("Pod"), bench.clusters[A]
    spec = "spec: {containers: [{name: web, image: web}], terminationGracePeriodSeconds: 0}"
    texts = [f"{{apiVersion: v1, kind: Pod, metadata: {{name: pod-{each}}}, {spec}}}" for each in range(30)]

    def running():
        pods = bench.list("Pod", name)
        return len(pods) == len(texts) and all(pod["status"].get("phase") == "Running" for pod in pods)

    for text in texts:
        bench.make(text, name)
    bench.until(running)
    first = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in bench.list("Pod", name)}
    again = {}
    for each, text in enumerate(texts):
        cluster.delete(kind, name, f"pod-{each}", uid=first[f"pod-{each}"])
        again[f"pod-{each}"] = bench.make(text, name)[0]["metadata"]["uid"]
    bench.until(running)
    bench.make(f"{{apiVersion: v1, kind: Pod, metadata: {{name: last}}, {spec}}}", name)
    bench.until(lambda: bench.get("Pod", name, "last")["status"]["phase"] == "Running")
    bench.delete("Pod", name, "last")  # by now the node has done all that was before
    assert {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in bench.list("Pod", name)} == again


def test_a_simulated_kubelet_deletes_no_pod_that_is_not_being_deleted(bench, sandbox):
    """However late it is: in the test above it is late on a slow machine only."""
    name, kind = bench.namespace("late"), bench.kind("Pod")
    kwok = connect(None, str(Cluster(sandbox.home, 0).kubeconfig_of("kwok")))
    text = "{apiVersion: v1, kind: Pod, metadata: {name: next}, spec: {containers: [{name: web, image: web}]}}"
    uid = bench.make(text, name)[0]["metadata"]["uid"]
    with pytest.raises(PermanentError, match="a kubelet deletes no pod that is not being deleted"):
        kwok.delete(kind, name, "next", uid=uid)
    assert "deletionTimestamp" not in bench.get("Pod", name, "next")["metadata"]
    bench.delete("Pod", name, "next")
    bench.until(lambda: not bench.list("Pod", name))  # it deletes those that are being deleted


def test_a_volume_is_deleted_with_its_claim_unless_retained(run):
    run("apply", "-f", "-", text=WORKLOADS)
    volumes = {}
    for claim in ("at-once", "kept"):
        run("wait", f"pvc/{claim}", "--for=jsonpath={.status.phase}=Bound", "--timeout=600s")
        volumes[claim] = got(run, "pvc", claim)["spec"]["volumeName"]
    run("delete", "pvc", "at-once", "kept", "--timeout=600s")
    run("wait", f"pv/{volumes['at-once']}", "--for=delete", "--timeout=600s")
    run("wait", f"pv/{volumes['kept']}", "--for=jsonpath={.status.phase}=Released", "--timeout=600s")
    run("delete", "pv", volumes["kept"])


def test_rights_count(run, cluster, sandbox):
    """The viewer may do nothing, until a role is bound to it."""
    viewer = f"{cluster.name}-viewer"
    with pytest.raises(Exception, match=r'Forbidden.*User "viewer" cannot list resource "secrets"'):
        run("get", "secrets", context=viewer)
    run("create", "rolebinding", "viewer", "--clusterrole=admin", "--user=viewer")
    may = connect(viewer, str(sandbox.kubeconfig))
    until(lambda: may.allowed("list", SECRETS, run.namespace))
    may.close()
    run("get", "secrets", context=viewer)


def test_the_nodes_are_ready_with_addresses_of_their_own(sandbox):
    clusters = [Cluster(sandbox.home, index) for index in range(2)]
    nodes = [node for one in clusters for node in one.api.get("/api/v1/nodes")["items"]]
    addresses = {address["address"] for node in nodes for address in node["status"]["addresses"]}
    assert {str(one.network.node(number)) for one in clusters for number in range(3)} <= addresses
    conditions = [one["status"] for node in nodes for one in node["status"]["conditions"] if one["type"] == "Ready"]
    assert conditions == ["True"] * 6


def test_everything_listens_on_loopback_only(sandbox):
    for row in sandbox.status():
        found = listening(row.pid)
        assert {address for address, _ in found} == {"0100007F"}, row
        assert row.port in {port for _, port in found}, row


def test_secrets_are_for_this_user_only(sandbox):
    private = []
    for folder, folders, files in os.walk(sandbox.home):
        if Path(folder) == sandbox.s3.folder:
            folders.remove("data")  # its files come and go
        private += [path for path in map(Path(folder).joinpath, files) if path.suffix in {".key", ".csv", ".json"}]
    assert len(private) > 20
    assert [path for path in [*private, sandbox.kubeconfig, sandbox.home] if path.stat().st_mode & 0o077] == []


def test_tls_is_verified(sandbox, cluster):
    config = yaml.safe_load(sandbox.kubeconfig.read_text())
    for entry in config["clusters"]:
        assert entry["cluster"].keys() == {"server", "certificate-authority-data"}
    other = Cluster(sandbox.home, 1 - cluster.index)
    until(lambda: http.healthy(f"{cluster.server}/readyz", cluster.ca, cluster.tokens["admin"]))
    assert not http.healthy(f"{cluster.server}/readyz", other.ca, cluster.tokens["admin"])


def test_the_clusters_are_strangers(sandbox):
    """Neither takes the other's tokens, and their identities (the uid of kube-system) differ."""
    a, b = (Cluster(sandbox.home, index) for index in range(2))
    assert not http.healthy(f"{a.server}/api", a.ca, b.tokens["admin"])
    assert len({one.api.get("/api/v1/namespaces/kube-system")["metadata"]["uid"] for one in (a, b)}) == 2


def run_sandbox(capsys, *args):
    """Return the exit code, stdout and stderr of `kubeferry sandbox ARGS`."""
    with pytest.raises(SystemExit) as exited:
        main(["sandbox", *args])
    return exited.value.code, *capsys.readouterr()


def test_the_commands_print_what_a_shell_needs(sandbox, monkeypatch, capsys):
    monkeypatch.setenv("KUBEFERRY_HOME", str(sandbox.home.parent.parent))
    code, shell, _ = run_sandbox(capsys, "env")
    assert code == 0
    assert f"export KUBECONFIG={sandbox.kubeconfig}\n" in shell
    assert "export KUBEFERRY_STORE='s3://kubeferry?endpoint=http://127.0.0.1:" in shell  # quoted: it has an &
    assert yaml.safe_load(run_sandbox(capsys, "env", "-o", "yaml")[1]) == sandbox.env()


def test_the_status_has_a_row_per_process(sandbox, monkeypatch, capsys):
    monkeypatch.setenv("KUBEFERRY_HOME", str(sandbox.home.parent.parent))

    def healthy():
        """They have two seconds to answer; a busy one needs another try."""
        code, text, _ = run_sandbox(capsys, "status", "-o", "json")
        rows = json.loads(text)
        assert len(rows) == 11
        return code == 0 and all(row["healthy"] for row in rows)

    until(healthy)
    assert "kubeferry-b/kube-scheduler" in run_sandbox(capsys, "status")[1]


def test_the_commands_say_that_there_is_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KUBEFERRY_HOME", str(tmp_path))
    assert run_sandbox(capsys, "status") == (1, "There is no sandbox yet: start it with `kubeferry sandbox up`.\n", "")
    code, text, error = run_sandbox(capsys, "env")
    assert (code, text) == (2, "")
    assert error == "error: there is no sandbox yet: start it with `kubeferry sandbox up`\n"
    assert run_sandbox(capsys, "down")[0] == 0


def test_a_failed_build_shows_the_compilers_last_lines_before_the_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KUBEFERRY_HOME", str(tmp_path))
    monkeypatch.setenv("KUBEFERRY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GOPROXY", "off")
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    code, _, error = run_sandbox(capsys, "up")
    *before, last = error.splitlines()
    assert code == 1
    assert last.startswith("error: the sandbox's build failed at `download and list the modules`")
    assert any("module lookup disabled by GOPROXY=off" in line for line in before)
