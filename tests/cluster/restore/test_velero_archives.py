"""On the sandbox: what Velero wrote is restored as ours is; damaged and hostile archives write nothing."""

import shutil

import orjson
import pytest
from tests.support.bench import A, B
from tests.support.objects import bare_pod, claim, documents, service, workload
from tests.support.velero_archives import store

from kubeferry.tasks.core.errors import DamagedError, PreflightError

OBJECTS = documents(workload("Deployment"), bare_pod(), service(), claim())

CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web", "namespace": "NS"}, "data": {"a": "b"}}
AT = "resources/configmaps/namespaces/NS/web.json"


def live(bench, ns, context=A):
    """Yield all that a namespace has, and what is around it, as Velero does: whole, and twice."""
    cluster = bench.clusters[context]
    for kind in cluster.discover().types:
        if not {"list", "create"} <= kind.verbs:
            continue
        for obj in cluster.list(kind, ns if kind.namespaced else ""):
            if kind.namespaced or ns in obj["metadata"]["name"]:
                scope = f"namespaces/{ns}" if kind.namespaced else "cluster"
                for version in ("", f"/{kind.version}-preferredversion"):
                    path = f"resources/{kind.group_resource}{version}/{scope}/{obj['metadata']['name']}.json"
                    yield path, orjson.dumps(obj)


def test_what_velero_saved_is_restored(bench):
    ns = bench.namespace()
    group = bench.crd(ns)
    (boss,) = bench.make(f"{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: boss}}}}", ns)
    tie = {"apiVersion": f"{group}/v1", "kind": "Widget", "name": "boss", "controller": True}
    owned = orjson.dumps([tie | {"uid": boss["metadata"]["uid"]}]).decode()
    bench.make(f"{{apiVersion: v1, kind: Secret, metadata: {{name: owned, ownerReferences: {owned}}}}}", ns)
    bench.make(OBJECTS, ns)
    for kind, named in (("Deployment", "web"), ("Pod", "bare"), ("PersistentVolumeClaim", "data")):
        bench.ready(kind, ns, named)
    address = bench.get("Service", ns, "web")["spec"]["clusterIP"]
    bench.make(f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: uses}}, data: {{at: '{address}:80'}}}}", ns)
    entries = dict(live(bench, ns))
    assert any("/pods/" in path for path in entries)
    assert b"managedFields" in entries[f"resources/deployments.apps/namespaces/{ns}/web.json"]
    copy = bench.name()
    result = bench.restore(store(bench, entries.items()), map={ns: copy})
    bench.forget("CustomResourceDefinition", f"widgets.{group}")
    assert (result.phase, result.namespaces, result.problems) == ("Completed", {ns: copy}, [])
    assert result.actions == {"created": result.objects - 1, "unchanged": 1}
    left = {each.type for each in result.left_out}
    assert {"Pod", "ReplicaSet.apps", "EndpointSlice.discovery.k8s.io", "ConfigMap"} <= left
    new = bench.get(f"Widget.{group}", copy, "boss", B)["metadata"]["uid"]
    assert bench.get("Secret", copy, "owned", B)["metadata"]["ownerReferences"] == [tie | {"uid": new}]
    assert bench.ready("Deployment", copy, "web", B)["metadata"]["uid"] not in str(entries)
    assert len(bench.list("Pod", copy, B)) == 2
    source, target = bench.get("Service", ns, "web"), bench.get("Service", copy, "web", B)
    assert source["spec"]["clusterIP"] != target["spec"]["clusterIP"]
    assert bench.get("ConfigMap", copy, "uses", B)["data"] == {"at": f"{target['spec']['clusterIP']}:80"}
    claims = [bench.ready("PersistentVolumeClaim", *each) for each in ((ns, "data", A), (copy, "data", B))]
    assert claims[0]["spec"]["volumeName"] != claims[1]["spec"]["volumeName"]
    assert bench.get("Pod", copy, "bare", B)["spec"]["nodeName"].startswith(B)


STUCK = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: stuck}
spec:
  selector: {matchLabels: {app: stuck}}
  template:
    metadata: {labels: {app: stuck}}
    spec: {nodeSelector: {nowhere: "true"}, containers: [{name: web, image: web}]}
"""


def test_what_was_not_ready_when_velero_saved_it_is_not_waited_for(bench):
    """Velero saves the status too: it says so."""
    ns = bench.namespace()
    bench.make(STUCK, ns)
    bench.until(lambda: bench.get("Deployment", ns, "stuck")["status"]["unavailableReplicas"])
    copy = bench.name()
    result = bench.restore(store(bench, live(bench, ns)), map={ns: copy})
    assert result.phase == "Completed"
    ((what, why),) = [(each.what, each.why) for each in result.not_ready]
    assert what == f"Deployment.apps {copy}/stuck"
    assert why.startswith("was not ready when it was backed up: ")


@pytest.fixture(scope="module")
def ours(bench):
    """A backup of ours of a namespace with one ConfigMap."""
    ns = bench.namespace()
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {a: b}}", ns)
    return bench.backup(ns)


@pytest.mark.parametrize("damage", ["flipped", "truncated", "manifest", "links"])
def test_ours_is_proved_before_anything_is_written(bench, ours, damage):
    before = bench.folder / "backups" / ours.name
    saved = bench.folder / "aside"
    shutil.copytree(before, saved)
    tarball, manifest = before / f"{ours.name}.tar.gz", before / "kubeferry-manifest.json.gz"
    spoilt = {"manifest": manifest, "links": before / "kubeferry-links.jsonl.gz"}.get(damage, tarball)
    data = bytearray(spoilt.read_bytes())
    data[len(data) // 2] ^= 1
    spoilt.write_bytes(data if damage != "truncated" else data[: len(data) // 2])
    try:
        with pytest.raises(DamagedError, match=f"^backup {ours.name}: .*{'manifest' if damage == 'manifest' else ''}"):
            bench.restore(ours)
    finally:
        shutil.rmtree(before)
        saved.rename(before)
    assert bench.find("Namespace", "", ours.namespaces[0], B) is None


HOSTILE = {
    "another object": ([(AT, CONFIG | {"metadata": {"name": "other", "namespace": "NS"}})], "holds another object"),
    "another namespace": (
        [(AT, CONFIG | {"metadata": {"name": "web", "namespace": "kube-system"}})],
        "holds another object",
    ),
    "no JSON": ([(AT, b"{")], "is not JSON"),
    "no object": ([(AT, [])], "holds no Kubernetes object"),
    "no kind": ([(AT, {"metadata": {"name": "web", "namespace": "NS"}})], "holds no Kubernetes object"),
    "twice": ([(AT, CONFIG), (AT, CONFIG)], "twice"),
    "out of the archive": ([("resources/configmaps/namespaces/NS/../../x.json", CONFIG)], "not allowed in an archive"),
    "no definition": (
        [
            (AT, CONFIG),
            (
                "resources/customresourcedefinitions.apiextensions.k8s.io/cluster/x.json",
                {
                    "apiVersion": "apiextensions.k8s.io/v1",
                    "kind": "CustomResourceDefinition",
                    "metadata": {"name": "x"},
                },
            ),
        ],
        "CustomResourceDefinition x has no versions",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_writes_nothing(bench, case):
    entries, message = HOSTILE[case]
    ns = bench.name()
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}}
    listed = [(f"resources/namespaces/cluster/{ns}.json", orjson.dumps(namespace))]
    for path, body in entries:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        listed.append((path.replace("NS", ns), data.replace(b"NS", ns.encode())))
    with pytest.raises(DamagedError, match=message):
        bench.restore(store(bench, listed))
    assert bench.find("Namespace", "", ns, B) is None


def test_a_namespace_that_nobody_has(bench):
    ns = bench.name()
    saved = store(bench, [(AT.replace("NS", ns), orjson.dumps(CONFIG).replace(b"NS", ns.encode()))])
    with pytest.raises(PreflightError, match=f"Namespace {ns} is not there, and the backup does not hold it"):
        bench.restore(saved)
