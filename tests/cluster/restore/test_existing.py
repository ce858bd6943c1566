"""What a restore does with objects that the target has already; on the sandbox."""

import base64
import http.client
import re
import ssl
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from tests.support.bench import A, B, did, rested, touch
from tests.support.http_server import running
from tests.support.objects import bare_pod, claim, config_map, documents, secret, service, workload

from kubeferry.tasks.core.errors import KubeferryError, PermanentError, PreflightError
from kubeferry.tasks.restore import managers

KINDS = documents(
    config_map("web", {"a": "1"}),
    secret("db", {"password": "hunter2"}, immutable=True),
    service(type="NodePort"),
    claim(),
    workload("Deployment"),
    bare_pod(),
    """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: web}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: default}]
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: roomy}
spec: {hard: {pods: "9"}}
""",
)


@pytest.fixture(scope="module")
def shop(bench):
    """A backup of a namespace on A with some of everything, all of it ready."""
    ns = bench.namespace()
    bench.make(KINDS.replace("name: default}", f"name: default, namespace: {ns}}}"), ns)
    for kind, name in (("Deployment", "web"), ("PersistentVolumeClaim", "data"), ("Pod", "bare")):
        bench.ready(kind, ns, name)
    return bench.backup(ns)


@pytest.fixture
def there(bench, shop):
    """The namespace restored on A beside the original, under a name of the test's own: (name, map)."""
    name = bench.name()
    mapped = {shop.namespaces[0]: name}
    bench.restore(shop, context=A, map=mapped)
    return name, mapped


def test_what_is_identical_is_not_touched(bench, shop, there):
    name, mapped = there
    before = rested(bench, A, name)
    result = bench.restore(shop, context=A, map=mapped)
    assert result.actions == {"unchanged": result.objects}
    assert result.objects == shop.objects - 1  # the ReplicaSet is left to its Deployment
    assert touch(bench, A, name) == before


def test_skip_leaves_it(bench, shop, there):
    name, mapped = there
    bench.patch("ConfigMap", name, "web", {"data": {"a": "2"}})
    before = rested(bench, A, name)
    result = bench.restore(shop, context=A, map=mapped, existing="skip")
    assert did(result, "ConfigMap", "web") == "skipped exists with other content: data.a"
    assert result.actions == {"unchanged": result.objects - 1, "skipped": 1}
    assert touch(bench, A, name) == before


def test_fail_writes_nothing(bench, shop, there):
    name, mapped = there
    bench.patch("ConfigMap", name, "web", {"data": {"a": "2"}})
    bench.delete("Pod", name, "bare")
    before = rested(bench, A, name)
    with pytest.raises(PermanentError, match=f"ConfigMap {name}/web exists with other content: data.a; --existing"):
        bench.restore(shop, context=A, map=mapped)
    assert touch(bench, A, name) == before


def test_update_applies_under_the_name_of_the_restore(bench, shop, there):
    name, mapped = there
    bench.patch("ConfigMap", name, "web", {"data": {"a": "2"}})
    bench.patch("Deployment", name, "web", {"spec": {"replicas": 0}})
    before = rested(bench, A, name)
    result = bench.restore(shop, context=A, map=mapped, existing="update")
    assert did(result, "ConfigMap", "web") == "updated had other content: data.a"
    assert did(result, "Deployment.apps", "web") == "updated had other content: spec.replicas"
    found = bench.get("ConfigMap", name, "web")
    ours = [each for each in found["metadata"]["managedFields"] if each["manager"].startswith("kubeferry-")]
    assert found["data"] == {"a": "1"}
    names = [bool(re.fullmatch(r"kubeferry-[0-9a-f]{12}:changed", each["manager"])) for each in ours]
    assert sorted(names) == [False, True]  # it was made by another restore
    assert all(each["fieldsV1"] == {"f:metadata": {"f:annotations": {"f:kubeferry.io/restored": {}}}} for each in ours)
    after = touch(bench, A, name)
    changed = {ref for ref in before if before[ref] != after.get(ref)}
    assert {
        (ref.kind, ref.name) for ref in changed if ref.kind in ("ConfigMap", "Deployment", "Secret", "Service")
    } == {
        ("ConfigMap", "web"),
        ("Deployment", "web"),
    }
    assert all(before[ref][0] == after[ref][0] for ref in changed & after.keys())


def test_update_reports_what_cannot_be_changed_and_recreate_does_it(bench, shop, there):
    name, mapped = there
    old = bench.get("Secret", name, "db")
    bench.delete("Secret", name, "db")
    bench.make("{apiVersion: v1, kind: Secret, metadata: {name: db}, immutable: true, stringData: {password: x}}", name)
    with pytest.raises(PreflightError) as caught:
        bench.restore(shop, context=A, map=mapped, existing="update")
    message = " ".join(caught.value.problems)
    assert message.startswith(f"Secret {name}/db has other content in immutable fields: data.p")
    assert message.endswith(
        "; --existing recreate, or for this kind --existing secrets=recreate, re-creates it; =skip keeps it"
    )
    result = bench.restore(shop, context=A, map=mapped, existing="recreate")
    assert did(result, "Secret", "db").startswith("recreated had other content: data")
    found = bench.get("Secret", name, "db")
    assert found["data"] == old["data"]
    assert (result.actions, result.problems) == ({"unchanged": result.objects - 1, "recreated": 1}, [])


def test_the_default_account_is_merged(bench):
    ns = bench.namespace()
    account = {"metadata": {"labels": {"team": "shop"}}, "imagePullSecrets": [{"name": "registry"}]}
    bench.patch("ServiceAccount", ns, "default", account)
    saved = bench.backup(ns)
    bench.namespace_named(ns, context=B)
    theirs = {"metadata": {"labels": {"cluster": "b"}}, "imagePullSecrets": [{"name": "mirror"}]}
    bench.patch("ServiceAccount", ns, "default", theirs, context=B)
    result = bench.restore(saved)
    assert did(result, "ServiceAccount", "default").startswith("merged labels, annotations and secrets added: ")
    found = bench.get("ServiceAccount", ns, "default", context=B)
    assert found["metadata"]["labels"] == {"cluster": "b", "team": "shop"}
    assert found["imagePullSecrets"] == [{"name": "mirror"}, {"name": "registry"}]


@pytest.mark.parametrize("existing", ["fail", "update", "recreate"])
def test_what_is_cluster_wide_is_kept_and_reported(bench, existing):
    ns = bench.namespace()
    urgent = "{{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {{name: {0}-urgent}}, value: {1}}}"
    bench.make(urgent.format(ns, 7))
    pod = "{{apiVersion: v1, kind: Pod, metadata: {{name: web}}, spec: {{priorityClassName: {0}-urgent, {1}}}}}"
    bench.make(pod.format(ns, "containers: [{name: web, image: web}]"), ns)
    saved = bench.backup(ns)
    (theirs,) = bench.make(urgent.format(ns, 8), context=B)
    result = bench.restore(saved, existing=existing)
    kind = "PriorityClass.scheduling.k8s.io"
    assert did(result, kind, f"{ns}-urgent") == "kept cluster-scoped, and exists with other content: value"
    assert bench.get("PriorityClass", "", f"{ns}-urgent", context=B) == theirs
    assert bench.get("Pod", ns, "web", context=B)["spec"]["priority"] == 8


def test_what_a_recreated_owner_owns_stays_and_is_its_own_again(bench):
    ns = bench.namespace()
    group = bench.crd(ns)
    (owner,) = bench.make(f"{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: boss}}, spec: {{size: 1}}}}", ns)
    tie = {"apiVersion": f"{group}/v1", "kind": "Widget", "name": "boss", "uid": owner["metadata"]["uid"]}
    meta = {"name": "kept", "ownerReferences": [tie | {"controller": True, "blockOwnerDeletion": True}]}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"key": "value"}}
    bench.make(yaml.safe_dump(secret), ns)
    saved = bench.backup(ns)
    bench.patch("Widget", ns, "boss", {"spec": {"size": 2}})
    result = bench.restore(saved, context=A, existing="recreate")
    assert did(result, f"Widget.{group}", "boss") == "recreated had other content: spec.size"
    assert result.problems == []
    bench.collected()
    new = bench.get("Widget", ns, "boss")["metadata"]["uid"]
    assert new != owner["metadata"]["uid"]
    assert bench.get("Secret", ns, "kept")["metadata"]["ownerReferences"] == [
        tie | {"uid": new, "controller": True, "blockOwnerDeletion": True}
    ]


def test_what_is_being_deleted_is_waited_for(bench, monkeypatch):
    ns = bench.namespace()
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {a: '1'}}", ns)
    saved = bench.backup(ns)
    bench.patch("ConfigMap", ns, "web", {"metadata": {"finalizers": ["example.com/slow"]}})
    old = bench.get("ConfigMap", ns, "web")["metadata"]["uid"]
    bench.clusters[A].delete(bench.kind("ConfigMap"), ns, "web", uid=old)
    refusals = []

    def created(*args):
        try:
            return managers.create(*args)
        except KubeferryError as error:
            refusals.append(error)
            if len(refusals) == 2:  # it has come back to it once
                bench.patch("ConfigMap", ns, "web", {"metadata": {"finalizers": []}})
            raise

    monkeypatch.setattr("kubeferry.tasks.restore.existing.create", created)
    result = bench.restore(saved, context=A)
    assert len(refusals) >= 2
    assert did(result, "ConfigMap", "web") == "created when a former one was gone"
    found = bench.get("ConfigMap", ns, "web")
    assert (found["data"], found["metadata"]["uid"] != old) == ({"a": "1"}, True)
    assert result.problems == []


def test_an_answer_that_gets_lost_makes_no_conflict(bench, shop, tmp_path):
    """The first POST to every collection is executed and its answer never comes; the retry finds the object."""
    name = bench.name()
    with forgetful(bench, tmp_path) as (kubeconfig, lost):
        result = bench.restore(shop, context=A, map={shop.namespaces[0]: name}, kubeconfig=kubeconfig)
    assert len([path for path in lost if f"/namespaces/{name}/" in path]) == 10  # with the lease and the bundle
    assert (result.phase, result.objects) == ("Completed", shop.objects - 1)
    assert set(result.actions) <= {"created", "unchanged"}
    assert {did(result, *each) for each in (("Deployment.apps", "web"), ("Secret", "db"))} == {"created"}
    assert bench.get("Deployment", name, "web")["status"]["readyReplicas"] == 1


def authority(config):
    """Return the certificate by which a kubeconfig trusts cluster A."""
    found = next(each["cluster"] for each in config["clusters"] if each["name"] == A)
    if "certificate-authority" in found:
        return Path(found["certificate-authority"]).read_text()
    return base64.b64decode(found["certificate-authority-data"]).decode()


@contextmanager
def forgetful(bench, tmp_path):
    """A proxy before A that loses the answer to the first POST of each path; yields a kubeconfig and the paths."""
    config = yaml.safe_load(Path(bench.where["kubeconfig"]).read_text())
    server = ThreadingHTTPServer(("127.0.0.1", 0), Forgetful)
    server.upstream = bench.clusters[A].host
    server.trust = ssl.create_default_context(cadata=authority(config))
    server.lost = []
    for each in config["clusters"]:
        each["cluster"] = {"server": f"http://127.0.0.1:{server.server_port}"}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    with running(server):
        yield str(path), server.lost


class Forgetful(BaseHTTPRequestHandler):
    """Passes requests on, one a connection, and the answers back as they come."""

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.server.upstream)
        upstream = http.client.HTTPSConnection(url.hostname, url.port, context=self.server.trust, timeout=30)
        try:
            upstream.request(self.command, self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            path = self.path.partition("?")[0]
            asks = "review" in path or "dryRun=" in self.path
            if self.command == "POST" and not asks and path not in self.server.lost:
                answer.read()
                self.server.lost.append(path)
                return
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):  # a watch that the client has seen enough of
                while chunk := answer.read1(2**16):
                    self.wfile.write(chunk)
        finally:
            upstream.close()

    do_GET = do_POST = do_PATCH = do_DELETE = forward  # noqa: N815 - http.server looks for these names

    def log_message(self, *_):
        pass
