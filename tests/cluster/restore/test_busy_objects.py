"""Objects that others write between each read and the write that depends on it: restores, undos and deletions go on."""

import pytest
import yaml
from tests.support.bench import B
from tests.support.objects import claim, config_map, documents, workload

from kubeferry.tasks.core.formats.losses import LossCode
from kubeferry.tasks.ports.cluster import transport
from kubeferry.tasks.ports.cluster.client import Cluster

TIMES = 7
"""More than a Deployment's controller was seen to write while its pods began (five)."""

TWICE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example.com/web:1
        env: [{name: MODE, value: slow}, {name: MODE, value: fast}]
"""


@pytest.fixture
def busy(bench, monkeypatch):
    """Have somebody write an object each time before it is written at the resourceVersion that was read."""
    counts = {}

    def get_in(kind, namespace, name, body):
        seen = body.get("metadata", {}).get("resourceVersion") if isinstance(body, dict) else None
        if seen and counts.get((kind.kind, name), 0) > 0:
            counts[kind.kind, name] -= 1
            note = {"metadata": {"annotations": {"example.com/left": str(counts[kind.kind, name])}}}
            bench.clusters[B].patch(kind, namespace, name, note, manager="someone")

    real_patch, real_replace = Cluster.patch, Cluster.replace

    def patch(self, kind, namespace, name, body, **options):
        get_in(kind, namespace, name, body)
        return real_patch(self, kind, namespace, name, body, **options)

    def replace(self, kind, namespace, body):
        get_in(kind, namespace, body["metadata"]["name"], body)
        return real_replace(self, kind, namespace, body)

    def begin(kind, name, times=TIMES):
        counts[kind, name] = times
        return counts

    monkeypatch.setattr(Cluster, "patch", patch)
    monkeypatch.setattr(Cluster, "replace", replace)
    return begin


def ours(bench, kind, ns, name):
    """Return the fields that a restore manages, but for its mark."""
    entries = bench.get(kind, ns, name, B)["metadata"]["managedFields"]
    return [each["fieldsV1"].keys() - {"f:metadata"} for each in entries if each["manager"].startswith("kubeferry-")]


def image(bench, ns):
    (container,) = bench.get("Deployment", ns, "web", B)["spec"]["template"]["spec"]["containers"]
    return container["image"]


def test_an_update_of_what_others_write_all_the_time_ends_and_its_fields_are_given_back(bench, busy):
    ns = bench.namespace()
    bench.make(documents(workload("Deployment", "web"), config_map("settings", {"is": "saved"})), ns)
    saved = bench.backup(ns)
    bench.namespace_named(ns, B)
    bench.make(documents(workload("Deployment", "web", replicas=3), config_map("settings", {"is": "other"})), ns, B)
    counts = busy("Deployment", "web")
    result = bench.restore(saved, existing="update")
    assert (result.phase, result.actions["updated"], result.problems) == ("Completed", 2, [])
    assert counts == {("Deployment", "web"): 0}
    assert not any(ours(bench, "Deployment", ns, "web"))


def test_duplicate_keys_are_updated_and_undone_while_others_write(bench, busy, kubeferry):
    """What server-side apply does not take is merged, and given back by a PUT, both at what was read."""
    ns, named = bench.namespace(), bench.name()
    bench.make(TWICE.replace("web:1", "web:0"), ns)
    saved = bench.backup(ns)
    bench.namespace_named(ns, B)
    bench.make(TWICE, ns, B)
    counts = busy("Deployment", "web")
    result = bench.restore(saved, existing="update", name=named, wait=False)
    assert (result.phase, image(bench, ns)) == ("Completed", "registry.example.com/web:0")
    assert counts == {("Deployment", "web"): 0}
    left = busy("Deployment", "web")
    where = ("--context", B, "--store", bench.where["store"], "--kubeconfig", bench.where["kubeconfig"])
    code, out, err = kubeferry("undo", named, "--yes", "--force", *where)
    assert code == 0, out + err
    assert (image(bench, ns), left) == ("registry.example.com/web:1", {("Deployment", "web"): 0})


def test_fields_that_cannot_be_given_back_are_reported_and_fail_no_restore(bench, busy, monkeypatch):
    monkeypatch.setattr(transport, "CONFLICT_PAUSES", (0,) * 3)
    ns = bench.namespace()
    bench.make(config_map("settings", {"is": "saved"}), ns)
    saved = bench.backup(ns)
    bench.namespace_named(ns, B)
    bench.make(config_map("settings", {"is": "other"}), ns, B)
    busy("ConfigMap", "settings", times=100)
    result = bench.restore(saved, existing="update")
    assert bench.get("ConfigMap", ns, "settings", B)["data"] == {"is": "saved"}
    ((what, why),) = [(each.what, each.why) for each in result.problems]
    assert what == f"ConfigMap {ns}/settings"
    assert why.startswith("the restore stays the manager of fields that others applied: patch ConfigMap")


def test_a_finalizer_that_cannot_be_written_is_reported_and_fails_no_restore(bench, busy, monkeypatch):
    monkeypatch.setattr(transport, "CONFLICT_PAUSES", (0,) * 3)
    ns, copy = bench.namespace(), bench.name()
    held = yaml.safe_load(config_map("held"))
    held["metadata"]["finalizers"] = ["example.com/hold"]
    bench.make(yaml.safe_dump(held), ns)
    saved = bench.backup(ns)
    bench.patch("ConfigMap", ns, "held", {"metadata": {"finalizers": None}})
    busy("ConfigMap", "held", times=100)
    result = bench.restore(saved, map={ns: copy}, finalizers="keep")
    assert "finalizers" not in bench.get("ConfigMap", copy, "held", B)["metadata"]
    assert [each.code for each in result.losses if each.object.endswith("/held")] == [LossCode.FINALIZER_LEFT]


def test_a_claim_that_others_write_stays_when_its_owner_is_re_created(bench, busy):
    ns = bench.namespace()
    bench.make(config_map("owner", {"is": "saved"}), ns)
    saved = bench.backup(ns)
    bench.namespace_named(ns, B)
    (owner,) = bench.make(config_map("owner", {"is": "other"}), ns, B)
    (data,) = bench.make(claim(), ns, B)
    tie = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    bench.patch("PersistentVolumeClaim", ns, "data", {"metadata": {"ownerReferences": [tie]}}, B)
    counts = busy("PersistentVolumeClaim", "data")
    result = bench.restore(saved, existing="recreate")
    assert (result.actions["recreated"], counts) == (1, {("PersistentVolumeClaim", "data"): 0})
    bench.collected(B)
    found = bench.get("PersistentVolumeClaim", ns, "data", B)["metadata"]
    assert (found["uid"], found.get("deletionTimestamp")) == (data["metadata"]["uid"], None)
