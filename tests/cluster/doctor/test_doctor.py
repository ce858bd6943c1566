"""`kubeferry doctor` on the sandbox, its S3 server and a real Prefect server: each check, well and ill."""

import json
import os
import socket
import urllib.request
import uuid
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from tests.support.cli import in_another
from tests.support.limits import LIMIT
from tests.support.prefect_api import headers
from tests.support.store_faults import faulty

from kubeferry.tasks.core.errors import StoreError
from kubeferry.tasks.core.models.options_maintenance import DoctorOptions
from kubeferry.tasks.core.ops.rights import for_backup, for_restore
from kubeferry.tasks.doctor import cluster, store
from kubeferry.tasks.doctor.checks import CHECKS, examine
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.local import clock, processes
from kubeferry.tasks.ports.prefect import server as prefect_server
from kubeferry.tasks.ports.store.open import open_store

NAMES = list(CHECKS)
PREFECT = ["worker", "deployments", "schedule backup/nightly", "schedule prune/nightly", "schedule verify/nightly"]

ROLE = """
apiVersion: v1
kind: ServiceAccount
metadata: {{name: reader, namespace: {ns}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: reader, namespace: {ns}}}
rules:
- {{apiGroups: ["", apps, batch], resources: ["*"], verbs: [get, list]}}
- {{apiGroups: ["networking.k8s.io"], resources: [ingresses], resourceNames: [one], verbs: [get, list]}}
- {{apiGroups: ["apps"], resources: [deployments], verbs: [create]}}
- {{apiGroups: ["kubeferry.io"], resources: ["*/status"], verbs: ["*"]}}
- {{apiGroups: ["apiextensions.k8s.io"], resources: ["*"], verbs: ["*"]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: reader, namespace: {ns}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}}
subjects: [{{kind: ServiceAccount, name: reader, namespace: {ns}}}]
"""


@pytest.fixture(scope="module", autouse=True)
def fresh_home(sandbox_env, tmp_path_factory):  # noqa: ARG001 - it sets the environment
    """A home of this module's own, with no Prefect server that others have filled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBEFERRY_HOME", str(tmp_path_factory.mktemp("home")))
        for name in ("PREFECT_API_URL", "KUBEFERRY_CONTEXT", "KUBEFERRY_KUBECONFIG", "KUBEFERRY_OUTPUT"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="module")
def kubeferry(fresh_home):  # noqa: ARG001 - it sets the environment
    """Run a command in a process of its own, which finds Prefect's server by that home."""
    return in_another


@pytest.fixture(scope="module")
def server(fresh_home):  # noqa: ARG001 - it sets the environment
    """The local Prefect server, up."""
    url = prefect_server.start()
    yield url
    prefect_server.stop()


@pytest.fixture
def bucket():
    """A place of its own in the bucket; nothing is left in it."""
    parts = urlsplit(os.environ["KUBEFERRY_STORE"])
    url = parts._replace(path=f"/doctor-{uuid.uuid4().hex[:8]}").geturl()
    yield url
    assert list(open_store(url).list()) == []


@pytest.fixture(scope="module")
def account(sandbox_env, kubectl, tmp_path_factory):
    """A namespace, and the kubeconfig of an account that may read some of it."""
    ns = f"doctor-{uuid.uuid4().hex[:6]}"
    kubectl(sandbox_env, "create", "namespace", ns)
    kubectl(sandbox_env, "apply", "-f", "-", text=ROLE.format(ns=ns))
    config = yaml.safe_load(sandbox_env.kubeconfig.read_text())
    token = kubectl(sandbox_env, "create", "token", "reader", "-n", ns).strip()
    for each in config["users"]:
        each["user"] = {"token": token}
    path = tmp_path_factory.mktemp("account") / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    yield ns, str(path)
    kubectl(sandbox_env, "delete", "namespace", ns, "--wait=false")


def look(**asked):
    """Every finding by its check."""
    found = examine(DoctorOptions(context=asked.pop("context", "kubeferry-a"), **asked))
    assert [each.check for each in found] == NAMES
    assert all("\n" not in each.found for each in found)
    assert all(each.todo for each in found if each.level in ("warning", "failed"))
    return {each.check: each for each in found}


def levels(found, *checks):
    return [found[each].level.value for each in checks]


def ask(url, path, body=None, method=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}{path}", data, headers(url), method=method)  # noqa: S310 - loopback
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=LIMIT) as answer:
        return json.loads(answer.read() or b"null")


# --- all is well, and nothing is there yet


def test_a_machine_on_which_nothing_was_done_yet(bucket):
    found = look(store=bucket)
    well = ["versions", "cluster", "cluster clock", "rights to back up", "rights to restore", "store", "store clock"]
    assert levels(found, *well) == ["ok"] * len(well)
    assert levels(found, "Prefect server", *PREFECT, "newest backup") == ["warning"] + ["skipped"] * (len(PREFECT) + 1)
    assert found["Prefect server"].todo == "kubeferry server start"
    assert "Kubernetes v1.36.1" in found["cluster"].found


def test_a_folder_is_a_store_too(tmp_path):
    found = look(store=tmp_path.as_uri())
    assert levels(found, "store", "store clock") == ["ok", "ok"]
    assert list(tmp_path.rglob("*")) == []


def test_a_folder_whose_server_has_another_time_stops_a_prune(tmp_path, monkeypatch):
    later(monkeypatch, minutes=10)
    found = look(store=tmp_path.as_uri())["store clock"]
    assert found.level == "warning"
    assert "behind this machine's; kubeferry prune removes nothing until they agree" in found.found
    later(monkeypatch, minutes=-6)  # four by now
    assert "prune" not in look(store=tmp_path.as_uri())["store clock"].found


# --- the cluster


@pytest.fixture
def closed(sandbox_env, tmp_path):
    """Write the kubeconfig again with another address of its servers."""

    def write(address):
        config = yaml.safe_load(sandbox_env.kubeconfig.read_text())
        for each in config["clusters"]:
            each["cluster"]["server"] = address
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return str(path)

    return write


def test_a_cluster_out_of_reach_is_reported_once(closed, bucket):
    found = look(kubeconfig=closed("https://127.0.0.1:9"), store=bucket)
    assert "out of reach" in found["cluster"].found
    rest = ("cluster clock", "rights to back up", "rights to restore")
    assert levels(found, "cluster", *rest) == ["failed", "skipped", "skipped", "skipped"]
    assert levels(found, "store") == ["ok"]


def test_a_server_that_never_answers_stops_no_other_check(closed, bucket, kubeferry):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        address = f"https://127.0.0.1:{deaf.getsockname()[1]}"
        code, out, err = kubeferry(
            "doctor", "--wait-seconds", "30", "--kubeconfig", closed(address), "--store", bucket, "-o", "json"
        )
    checks = {each["check"]: each for each in json.loads(out)["checks"]}
    assert (code, err) == (1, "")
    assert checks["cluster"]["found"] == "no answer within 30 s"
    assert checks["store"]["level"] == "ok"


def test_no_such_context_and_expired_credentials(sandbox_env, tmp_path):
    assert "mars" in look(context="mars", store=tmp_path.as_uri())["cluster"].found
    config = yaml.safe_load(sandbox_env.kubeconfig.read_text())
    for each in config["users"]:
        each["user"]["token"] = "of-last-year"
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    found = look(kubeconfig=str(path), store=tmp_path.as_uri())["cluster"]
    assert found.level == "failed"
    assert "401" in found.found
    assert "of-last-year" not in found.found


def test_rights_that_are_missing_are_named(account, bucket):
    ns, kubeconfig = account
    found = look(kubeconfig=kubeconfig, namespaces=[ns], store=bucket)
    # Of a namespace's Role nothing reaches what is cluster-wide.
    assert found["rights to back up"].level == "failed"
    assert "get namespaces" in found["rights to back up"].found
    assert "--exclude" in found["rights to back up"].todo
    assert found["rights to restore"].level == "warning"


@pytest.mark.parametrize("wanted", [for_backup, for_restore])
def test_the_rules_of_a_namespace_say_what_the_api_server_answers_right_by_right(account, wanted):
    ns, kubeconfig = account
    reader = connect("kubeferry-a", kubeconfig)
    rights = wanted(reader.discover().types, [ns])
    missing = cluster._missing(reader, rights)
    assert missing == [each for each in rights if not reader.allowed(each.verb, each.kind, each.namespace)]
    assert 0 < len(missing) < len(rights)


def test_a_namespace_that_is_not_there(bucket):
    found = look(namespaces=["atlantis"], store=bucket)["rights to back up"]
    assert found.level == "warning"
    assert "atlantis does not exist" in found.found


# --- the store


def test_a_bucket_that_is_not_there(bucket):
    found = look(store=bucket.replace("s3://", "s3://none-"))
    assert "no such bucket" in found["store"].found
    assert levels(found, "store", "newest backup", "cluster") == ["failed", "skipped", "ok"]


def test_wrong_credentials_of_a_bucket(bucket, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-key")
        found = look(store=bucket)
    assert "SignatureDoesNotMatch" in found["store"].found
    assert "not-the-key" not in str(found)


def test_a_folder_that_cannot_be_one(tmp_path):
    (tmp_path / "file").write_text("a file is no folder, not even for root")
    assert "Not a directory" in look(store=(tmp_path / "file" / "store").as_uri())["store"].found


def test_a_url_that_is_no_store():
    assert look(store="ftp://somewhere")["store"].level == "failed"


@pytest.fixture
def ill(bucket):
    """The bucket behind a proxy, and what the proxy breaks."""
    parts = urlsplit(bucket)
    upstream = urlsplit(parse_qs(parts.query)["endpoint"][0])
    with faulty(upstream.hostname, upstream.port) as (endpoint, faults):
        yield parts._replace(query=f"endpoint={endpoint}&region=us-east-1").geturl(), faults


@pytest.mark.parametrize(
    ("method", "part", "status"), [("GET", "/metadata/", "403"), ("DELETE", "/metadata/", "403"), ("PUT", "/", "403")]
)
def test_a_right_that_is_missing_at_the_store(ill, method, part, status):
    url, faults = ill
    faults.deny = {(method, part): 403}
    found = look(store=url)["store"]
    assert found.level == "failed"
    assert status in found.found
    faults.deny = {}
    open_store(url).delete([entry.key for entry in open_store(url).list()])


def test_a_server_without_conditional_writes(ill):
    url, faults = ill
    faults.refuse = "If-None-Match"
    assert "no conditional writes" in look(store=url)["store"].found


class Forgetful:
    """A store that answers wrongly, in one way."""

    url = "forgetful"

    def __init__(self, store, **answers):
        self._store, self._answers = store, answers

    def __getattr__(self, name):
        if name in self._answers:
            return lambda *_: self._answers[name]
        return getattr(self._store, name)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"put_new": True}, "both won"),
        ({"put_new": False}, "never written"),
        ({"get": b"other"}, "read back differs from what was written"),
        ({"list": []}, "not listed"),
        ({"exists": True}, "still there"),
    ],
)
def test_a_store_that_says_one_thing_and_does_another(tmp_path, monkeypatch, answers, message):
    real = open_store(tmp_path.as_uri())
    monkeypatch.setattr(store, "open_store", lambda _: Forgetful(real, **answers))
    with pytest.raises(StoreError, match=message):
        store.store(DoctorOptions())
    assert list(tmp_path.rglob("*")) == []


# --- Prefect


def test_a_prefect_server_out_of_reach_is_reported_once(monkeypatch, tmp_path):
    url = f"http://me:SECRET@127.0.0.1:{processes.free_port()}/api"
    monkeypatch.setenv("PREFECT_API_URL", url)
    found = look(store=tmp_path.as_uri())
    assert "no Prefect API answers" in found["Prefect server"].found
    assert "SECRET" not in str(found)
    assert levels(found, "Prefect server", *PREFECT) == ["failed"] + ["skipped"] * len(PREFECT)


def test_what_is_no_prefect_server(server, monkeypatch, tmp_path):
    monkeypatch.setenv("PREFECT_API_URL", server.replace("/api", "/nothing"))
    found = look(store=tmp_path.as_uri())
    assert "no Prefect API" in found["Prefect server"].found
    assert levels(found, "Prefect server", *PREFECT) == ["failed"] + ["skipped"] * len(PREFECT)


@pytest.fixture
def deployed(server):
    """What `kubeferry deploy` would register: the work pool, and a nightly backup."""
    ask(server, "/work_pools/", {"name": "kubeferry", "type": "process"})
    flow = ask(server, "/flows/", {"name": "backup"})["id"]
    made = {
        "name": "nightly",
        "flow_id": flow,
        "schedules": [{"active": True, "schedule": {"cron": "0 1 * * *", "timezone": "Europe/Berlin"}}],
    }
    deployment = ask(server, "/deployments/", made)["id"]
    yield flow, deployment
    ask(server, f"/deployments/{deployment}", method="DELETE")
    ask(server, "/work_pools/kubeferry", method="DELETE")


def later(monkeypatch, **span):
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(**span))


def run(server, flow, deployment, state):
    made = {"flow_id": flow, "deployment_id": deployment, "state": {"type": "PENDING"}}
    made = ask(server, "/flow_runs/", made)["id"]
    for each in ("RUNNING", state):
        ask(server, f"/flow_runs/{made}/set_state", {"state": {"type": each}, "force": True})


def test_nothing_is_registered(server, tmp_path):
    found = look(store=tmp_path.as_uri())
    assert found["Prefect server"].level == "ok"
    assert f"the local one, {server}, Prefect 3.8.8, database: SQLite" in found["Prefect server"].found
    assert (found["worker"].level, found["worker"].todo) == ("warning", "kubeferry deploy NAMESPACE")
    nightly = found["schedule backup/nightly"]
    assert (nightly.level, nightly.todo) == ("warning", "kubeferry deploy NAMESPACE")
    assert "no schedule" in nightly.found
    others = ("deployments", "schedule prune/nightly", "schedule verify/nightly")
    assert levels(found, *others) == ["skipped"] * 3


def test_what_is_registered_has_no_worker_and_then_one(server, deployed, tmp_path):  # noqa: ARG001 - it registers
    found = look(store=tmp_path.as_uri())
    assert found["worker"].todo == "kubeferry worker"
    assert found["schedule backup/nightly"].found == "0 1 * * *: no run was due yet"
    beat = {"name": "one", "heartbeat_interval_seconds": 30}
    ask(server, "/work_pools/kubeferry/workers/heartbeat", beat)
    assert look(store=tmp_path.as_uri())["worker"].found == "kubeferry: 1 worker online"


@pytest.mark.parametrize("at", ["flows.backup.backup", "flows/backup.py:backup"])
def test_a_deployment_of_another_version_is_reported_until_it_is_registered_again(server, deployed, tmp_path, at):
    _, nightly = deployed
    ask(server, f"/deployments/{nightly}", {"entrypoint": at}, "PATCH")
    found = look(store=tmp_path.as_uri())["deployments"]
    assert (found.level, found.todo) == ("warning", "repeat kubeferry deploy with the same options")
    assert f"backup/nightly ({at})" in found.found
    ask(server, f"/deployments/{nightly}", {"entrypoint": "kubeferry.flows.backup.backup"}, "PATCH")
    found = look(store=tmp_path.as_uri())["deployments"]
    assert (found.level, found.found) == ("ok", "1 registered, all with the entry points of this version")


def test_a_deployment_whose_one_parameter_holds_all_options_is_reported(server, deployed, tmp_path):
    _, nightly = deployed
    schema = ask(server, f"/deployments/{nightly}")["parameter_openapi_schema"]
    former = {"title": "Parameters", "type": "object", "properties": {"options": {"type": "object"}}}
    now = {"entrypoint": "kubeferry.flows.backup.backup"}
    ask(server, f"/deployments/{nightly}", now | {"parameter_openapi_schema": former}, "PATCH")
    found = look(store=tmp_path.as_uri())["deployments"]
    assert (found.level, found.todo) == ("warning", "repeat kubeferry deploy with the same options")
    assert found.found.startswith("parameters of an earlier version")
    assert found.found.endswith(": backup/nightly")
    ask(server, f"/deployments/{nightly}", {"parameter_openapi_schema": schema}, "PATCH")


def test_three_days_later_all_that_ages_is_reported(server, deployed, monkeypatch, bucket):
    run(server, *deployed, "COMPLETED")
    run(server, *deployed, "CRASHED")
    ask(server, "/work_pools/kubeferry/workers/heartbeat", {"name": "one", "heartbeat_interval_seconds": 30})
    now = look(store=bucket)
    assert now["schedule backup/nightly"].level == "warning"
    assert "Crashed" in now["schedule backup/nightly"].found
    later(monkeypatch, days=3)
    found = look(store=bucket)
    ill = ["cluster clock", "store clock", "schedule backup/nightly", "newest backup"]
    assert levels(found, *ill) == ["failed"] * 4
    assert "no completed run since it was due (0 1 * * *)" in found["schedule backup/nightly"].found
    assert "the last one is Crashed, started 3 d ago" in found["schedule backup/nightly"].found
    assert "there is none, though backup/nightly was due" in found["newest backup"].found
    assert "behind this machine's" in found["store clock"].found
    assert "the last heartbeat was 3 d ago" in found["worker"].found


def test_a_run_in_time_is_enough(server, deployed, tmp_path, monkeypatch):
    later(monkeypatch, days=3)
    due = look(store=tmp_path.as_uri())["schedule backup/nightly"]
    assert due.level == "failed"
    monkeypatch.undo()
    run(server, *deployed, "COMPLETED")
    found = look(store=tmp_path.as_uri())["schedule backup/nightly"]
    assert found.level == "ok"
    assert "completed" in found.found


def test_the_newest_good_backup_is_named(server, kubeferry, account, tmp_path):
    assert (
        kubeferry("backup", account[0], "--name", "mine", "--store", tmp_path.as_uri(), PREFECT_API_URL=server)[0] == 0
    )
    assert look(store=tmp_path.as_uri())["newest backup"].found.startswith("mine, ")


# --- the command


def test_the_command_prints_one_table_and_exits_by_the_worst(kubeferry, tmp_path):
    code, out, err = kubeferry("doctor", "--context", "kubeferry-a", "--store", tmp_path.as_uri())
    assert err == ""
    assert code in (0, 3)  # by whether this session's server was left up
    head, *rows = out.splitlines()
    assert head.split() == ["CHECK", "RESULT", "FOUND", "WHAT", "TO", "DO"]
    assert [row.split("  ")[0] for row in rows] == NAMES
    code, out, _ = kubeferry("doctor", "--context", "mars", "--store", tmp_path.as_uri(), "-o", "json")
    assert (code, json.loads(out)["level"]) == (1, "failed")
    assert kubeferry("doctor", "--wait-seconds", "0")[0] == 2
