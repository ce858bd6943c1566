"""The command line on the sandbox: each error that a person meets is one line that names it, with its exit code."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from tests.support.limits import LIMIT, until

from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.ports.cluster.client import connect

CONFIGS = ResourceType("", "v1", "ConfigMap", "configmaps", namespaced=True)

CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: web, namespace: {ns}}}
data: {{greeting: hello}}
"""

# A user who may read config maps, and of Secrets not even that they are there.
READER = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: {name}}}
rules:
- {{apiGroups: [""], resources: [namespaces, configmaps], verbs: [get, list]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: {name}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {name}}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: viewer}}]
"""


def one_line(stderr):
    """Return the last line of stderr, the error; before it only notes may stand, never a traceback."""
    *notes, last = stderr.splitlines()
    assert last.startswith("error: ")
    assert not [line for line in notes if line.startswith(("error:", "Traceback", "  File"))]
    return last


@pytest.fixture(scope="module")
def ns(sandbox_env, kubectl):
    name = f"cli-{uuid.uuid4().hex[:6]}"
    kubectl(sandbox_env, "create", "namespace", name)
    kubectl(sandbox_env, "apply", "-f", "-", text=CONFIG_MAP.format(ns=name))
    yield name
    kubectl(sandbox_env, "delete", "namespace", name, f"{name}2", "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="module")
def backup(kubeferry, ns):
    """The result of a backup of `ns`, as `-o json` prints it."""
    code, out, err = kubeferry("backup", ns, "-o", "json")
    assert code == 0, err
    return json.loads(out)


@pytest.fixture
def kubeconfig(sandbox_env, tmp_path):
    """Write the sandbox's kubeconfig again, changed; return its path."""

    def write(change):
        config = yaml.safe_load(sandbox_env.kubeconfig.read_text())
        change(config)
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return str(path)

    return write


# --- errors


def test_no_such_namespace(kubeferry):
    code, out, err = kubeferry("backup", "atlantis")
    assert "namespace atlantis does not exist on cluster kubeferry-a" in one_line(err)
    assert (code, out) == (1, "")


def test_a_cluster_out_of_reach_is_reported_at_once(kubeferry, ns, kubeconfig):
    def close(config):
        for each in config["clusters"]:
            each["cluster"]["server"] = "https://127.0.0.1:9"

    code, out, err = kubeferry("backup", ns, "--kubeconfig", kubeconfig(close))
    assert "trying again" not in err  # the short retries of one request, not those of a flow
    assert "cluster kubeferry-a (https://127.0.0.1:9) is out of reach" in one_line(err)
    assert "refused" in err
    assert (code, out) == (1, "")


def test_a_cluster_with_another_identity_is_refused(kubeferry, ns, kubeconfig):
    def swap(config):
        first, second = (each["cluster"] for each in config["clusters"][:2])
        first["server"] = second["server"]

    code, out, err = kubeferry("backup", ns, "--kubeconfig", kubeconfig(swap))
    assert "certificate" in one_line(err)
    assert (code, out) == (1, "")


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_expired_credentials(kubeferry, ns, kubeconfig, command):
    def expire(config):
        for each in config["users"]:
            each["user"]["token"] = "of-last-year"

    code, out, err = kubeferry(command, ns, "--kubeconfig", kubeconfig(expire))
    line = one_line(err)
    assert "cluster kubeferry-a" in line
    assert "credentials were refused (401)" in line
    assert "of-last-year" not in err
    assert (code, out) == (1, "")


def test_no_such_context(kubeferry, ns):
    code, out, err = kubeferry("backup", ns, "--context", "mars")
    assert "mars" in one_line(err)
    assert (code, out) == (1, "")


@pytest.mark.parametrize("content", [None, "{a: [", "", "just text", "[]", "apiVersion: v1\nkind: Config"])
def test_a_kubeconfig_that_cannot_be_used(kubeferry, ns, tmp_path, content):
    path = tmp_path / "broken.yaml"
    if content is not None:
        path.write_text(content)
    code, out, err = kubeferry("backup", ns, "--kubeconfig", str(path))
    assert str(path) in one_line(err)
    assert "unexpected" not in err
    assert (code, out) == (1, "")


def test_a_folder_that_is_not_writable(kubeferry, ns, tmp_path):
    (tmp_path / "file").write_text("a file is no folder, not even for root")
    url = (tmp_path / "file" / "store").as_uri()
    code, out, err = kubeferry("backup", ns, "--store", url)
    assert f"store {url}" in one_line(err)
    assert "Not a directory" in err
    assert (code, out) == (1, "")


def test_a_bucket_that_is_not_there(kubeferry, ns):
    url = urlsplit(os.environ["KUBEFERRY_STORE"])._replace(netloc="nowhere-to-be-found").geturl()
    code, out, err = kubeferry("backup", ns, "--store", url)
    line = one_line(err)
    assert "nowhere-to-be-found" in line
    assert "no such bucket" in line
    assert (code, out) == (1, "")


def test_wrong_credentials_of_a_bucket(kubeferry, ns):
    code, out, err = kubeferry("backup", ns, AWS_SECRET_ACCESS_KEY="not-the-key")
    assert "SignatureDoesNotMatch" in one_line(err)
    assert "not-the-key" not in err
    assert (code, out) == (1, "")


@pytest.mark.parametrize("command", ["restore", "show", "verify"])
def test_no_such_backup(kubeferry, command):
    code, out, err = kubeferry(command, "atlantis")
    assert "no backup atlantis in s3://" in one_line(err)
    assert (code, out) == (1, "")


def test_a_damaged_archive_is_not_restored(kubeferry, ns, tmp_path):
    store = (tmp_path / "store").as_uri()
    assert kubeferry("backup", ns, "--name", "spoilt", "--store", store)[0] == 0
    tarball = tmp_path / "store" / "backups" / "spoilt" / "spoilt.tar.gz"
    data = bytearray(tarball.read_bytes())
    data[len(data) // 2] ^= 1
    tarball.write_bytes(data)
    code, out, err = kubeferry("restore", "spoilt", "--map", f"{ns}={ns}2", "--store", store)
    assert "backup spoilt: backups/spoilt/spoilt.tar.gz is not what the manifest says" in one_line(err)
    assert (code, out) == (1, "")


def test_a_name_that_is_taken(kubeferry, ns, backup):
    code, out, err = kubeferry("backup", ns, "--name", backup["name"])
    assert f"backup {backup['name']} exists already" in one_line(err)
    assert (code, out) == (2, "")


@pytest.mark.parametrize(
    ("option", "value"), [("--selector", "a in b"), ("--include", "starships"), ("--namespace-selector", "no=one")]
)
def test_what_selects_nothing_is_wrong_usage(kubeferry, ns, option, value):
    names = [] if option == "--namespace-selector" else [ns]
    code, out, err = kubeferry("backup", *names, option, value)
    assert value in one_line(err)
    assert (code, out) == (2, "")


def test_a_prefect_server_out_of_reach(kubeferry, ns):
    code, out, err = kubeferry("backup", ns, PREFECT_API_URL="http://127.0.0.1:9/api")
    assert "http://127.0.0.1:9/api" in one_line(err)
    assert (code, out) == (1, "")


# --- results


def test_what_cannot_be_read_makes_a_backup_partial_and_exit_3(kubeferry, kubectl, sandbox_env, ns):
    reader = READER.format(name=f"reader-of-{ns}")
    kubectl(sandbox_env, "apply", "-f", "-", text=reader)
    viewer = connect("kubeferry-a-viewer", str(sandbox_env.kubeconfig))
    try:
        until(lambda: viewer.allowed("list", CONFIGS, ns))
        code, out, err = kubeferry("backup", ns, "--context", "kubeferry-a-viewer", "-o", "json")
    finally:
        viewer.close()
        kubectl(sandbox_env, "delete", "-f", "-", text=reader)
    assert code == 3, err
    result = json.loads(out)
    assert result["phase"] == "Partial"
    assert f"secrets in {ns}" in [each["what"] for each in result["problems"]]
    assert result["counts"]["ConfigMap"] == 1


def test_a_backup_is_listed_shown_verified_and_restored_by_the_name_that_it_printed(
    kubeferry, kubectl, sandbox_env, ns, backup
):
    name = backup["name"]
    assert (backup["phase"], backup["counts"]["ConfigMap"], backup["cluster"]) == ("Completed", 1, "kubeferry-a")
    listed, shown, proof = (
        json.loads(kubeferry(*command, "-o", "json")[1])
        for command in (["list"], ["show", name], ["verify", name, "--deep"])
    )
    assert name in [row["name"] for row in listed]
    assert shown["counts"] == backup["counts"]
    assert proof["objects"] == backup["objects"]
    code, out, err = kubeferry("restore", name, "--map", f"{ns}={ns}2", "-o", "json")
    assert code == 0, err
    result = json.loads(out)
    assert (result["phase"], result["backup"], result["namespaces"]) == ("Completed", name, {ns: f"{ns}2"})
    found = json.loads(kubectl(sandbox_env, "get", "configmap", "web", "-n", f"{ns}2", "-o", "json"))
    assert found["data"] == {"greeting": "hello"}


def test_prefect_is_silent_but_for_debug(kubeferry_process, ns):
    code, _, err = kubeferry_process("backup", ns)
    assert code == 0
    assert "Flow run" not in err
    code, _, err = kubeferry_process("backup", ns, "--debug")
    assert code == 0
    assert "Flow run" in err


def test_ctrl_c_is_one_line_and_leaves_no_secret_behind(unset, ns):  # noqa: ARG001 - it sets the environment
    work = Path(os.environ["KUBEFERRY_HOME"]) / "state" / "work"
    command = Path(sys.executable).with_name("kubeferry")
    running = subprocess.Popen([command, "backup", ns], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + LIMIT
        while not [*work.glob("run-*")]:
            assert time.monotonic() < deadline
            assert running.poll() is None
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=LIMIT)
    finally:
        running.kill()
    assert err.splitlines()[-1] == "interrupted"
    assert "Traceback" not in err
    assert (running.returncode, out) == (130, "")
    assert [*work.glob("run-*")] == []
