"""What --existing does to claims, which hold contents that no backup has, to namespaces, and to what only POST took."""

import yaml
from tests.support.bench import B
from tests.support.objects import claim, config_map, documents, workload

DUPLICATES = """
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
        env:
        - {name: MODE, value: slow}
        - {name: LEVEL, value: "3"}
        - {name: MODE, value: fast}
"""


def uid(bench, kind, ns, name):
    return bench.get(kind, ns, name, B)["metadata"]["uid"]


def labelled(text, **labels):
    obj = yaml.safe_load(text)
    obj["metadata"]["labels"] = labels
    return yaml.safe_dump(obj)


def test_recreate_updates_a_claim(bench):
    ns = bench.namespace()
    bench.make(documents(labelled(claim(), of="saved"), config_map("a", {"is": "saved"})), ns)
    saved = bench.backup(ns)
    bench.namespace_named(ns, B)
    bench.make(documents(labelled(claim(), of="other"), config_map("a", {"is": "other"})), ns, B)
    before = {
        kind: uid(bench, kind, ns, name) for kind, name in (("PersistentVolumeClaim", "data"), ("ConfigMap", "a"))
    }
    result = bench.restore(saved, existing="recreate")
    assert (result.actions["recreated"], result.actions["updated"]) == (1, 1)
    assert uid(bench, "PersistentVolumeClaim", ns, "data") == before["PersistentVolumeClaim"]
    assert uid(bench, "ConfigMap", ns, "a") != before["ConfigMap"]
    assert bench.get("PersistentVolumeClaim", ns, "data", B)["metadata"]["labels"] == {"of": "saved"}


def test_recreate_re_creates_a_claim_whose_kind_is_named_and_says_what_goes(bench):
    ns = bench.namespace()
    bench.make(labelled(claim(), of="saved"), ns)
    saved = bench.backup(ns)
    bench.namespace_named(ns, B)
    bench.make(labelled(claim(), of="other"), ns, B)
    before = uid(bench, "PersistentVolumeClaim", ns, "data")
    result = bench.restore(saved, existing="recreate", existing_kinds={"pvc": "recreate"})
    assert uid(bench, "PersistentVolumeClaim", ns, "data") != before
    (made,) = [each for each in result.notable if each.action == "recreated"]
    assert "the contents of its volume go with it" in made.why


def test_an_owner_that_is_re_created_takes_no_claim_along(bench):
    ns = bench.namespace()
    template = {"metadata": {"name": "data"}, "spec": yaml.safe_load(claim())["spec"]}
    policy = {"whenDeleted": "Delete", "whenScaled": "Retain"}
    fields = {"serviceName": "db", "volumeClaimTemplates": [template], "persistentVolumeClaimRetentionPolicy": policy}
    texts = [labelled(workload("StatefulSet", "db", **fields), of=each) for each in ("saved", "other")]
    bench.make(texts[0], ns)
    bench.ready("StatefulSet", ns, "db")
    saved = bench.backup(ns)
    bench.namespace_named(ns, B)
    bench.make(texts[1], ns, B)
    bench.ready("StatefulSet", ns, "db", B)
    bench.until(lambda: bench.get("PersistentVolumeClaim", ns, "data-db-0", B)["metadata"]["ownerReferences"])
    (owner,) = bench.make(config_map("owner", {"is": "other"}), ns, B)
    tie = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    bench.make(
        labelled(claim("of-another"), x="y").replace("metadata:", f"metadata:\n  ownerReferences: [{tie}]"), ns, B
    )
    before = uid(bench, "PersistentVolumeClaim", ns, "data-db-0")
    set_before = uid(bench, "StatefulSet", ns, "db")
    bench.restore(saved, existing="recreate")
    assert uid(bench, "StatefulSet", ns, "db") != set_before
    bench.collected(B)
    found = bench.get("PersistentVolumeClaim", ns, "data-db-0", B)["metadata"]
    assert (found["uid"], found.get("deletionTimestamp")) == (before, None)


def test_28_namespace_labels_update(bench):
    ns = bench.namespace()
    bench.make(config_map("settings", {"greeting": "hello"}), ns)
    meta = {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}, "annotations": {"example.com/team": "shop"}}
    bench.patch("Namespace", "", ns, {"metadata": meta})
    saved = bench.backup(ns)
    bench.namespace_named(ns, B)
    bench.patch("Namespace", "", ns, {"metadata": {"labels": {"of": "the-target"}}}, B)
    named = bench.name()
    result = bench.restore(saved, name=named)
    (kept,) = [each for each in result.notable if each.type == "Namespace"]
    assert (kept.action, "pod-security" in kept.why) == ("kept", True)
    bench.restore(saved, existing="update", name=f"{named}-2")
    found = bench.get("Namespace", "", ns, context=B)["metadata"]
    assert found["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
    assert found["labels"]["of"] == "the-target"
    assert found["annotations"]["example.com/team"] == "shop"


def test_02_ssa_duplicate_env(bench):
    ns = bench.namespace()
    bench.make(DUPLICATES, ns)
    bench.ready("Deployment", ns, "web")
    saved = bench.backup(ns)
    env = bench.get("Deployment", ns, "web")["spec"]["template"]["spec"]["containers"][0]["env"]
    bench.restore(saved)
    drifted = [
        {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "registry.example.com/web:2"}
    ]
    bench.patch("Deployment", ns, "web", drifted, B, content_type="application/json-patch+json")
    result = bench.restore(saved, existing="update")
    (container,) = bench.get("Deployment", ns, "web", B)["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["env"]) == ("registry.example.com/web:1", env)
    assert (result.phase, result.actions["updated"]) == ("Completed", 1)


def test_an_update_that_is_undone_gives_duplicates_back(bench, kubeferry):
    ns, named = bench.namespace(), bench.name()
    bench.make(DUPLICATES.replace("web:1", "web:0"), ns)
    saved = bench.backup(ns)
    bench.namespace_named(ns, B)
    bench.make(DUPLICATES, ns, B)
    bench.restore(saved, existing="update", name=named, wait=False)
    where = ("--context", B, "--store", bench.where["store"], "--kubeconfig", bench.where["kubeconfig"])
    code, out, err = kubeferry("undo", named, "--yes", *where)
    assert code == 0, out + err
    (container,) = bench.get("Deployment", ns, "web", B)["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.com/web:1"
