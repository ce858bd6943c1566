"""Values that are absent, values that users bind by annotation, and bindings files that nobody should believe."""

import gzip
import hashlib
import json
import shutil
from string import Template

import orjson
import pytest
from tests.support.bench import A, B, rested, touch

from kubeferry.tasks.core.errors import DamagedError, PermanentError, PreflightError

NOTE = "config.kubernetes.io/apply-time-mutation"

ABSENT = Template("""
apiVersion: v1
kind: ConfigMap
metadata: {name: uses, annotations: {ip: $far}}
data: {url: "tcp://$far:1", plain: stays}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: uses}
spec:
  replicas: 0
  selector: {matchLabels: {app: uses}}
  template:
    metadata: {labels: {app: uses}}
    spec: {containers: [{name: uses, image: uses, args: ["--verbose", "--far=$far", "--port=1"]}]}
""")

WEB = "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}"


@pytest.fixture(scope="module")
def absent(bench):
    """A backup that uses the IP of a Service of a namespace that B does not have; that IP."""
    ns, far = bench.namespace(), bench.namespace()
    (service,) = bench.make(WEB, far)
    ip = service["spec"]["clusterIP"]
    bench.make(ABSENT.substitute(far=ip), ns)
    return ns, far, ip, bench.backup(ns)


def test_an_absent_value_is_reported_before_anything_is_written(bench, absent):
    ns, far, _, saved = absent
    with pytest.raises(PreflightError) as failed:
        bench.restore(saved)
    message = str(failed.value)
    chain = f"needs Service {far}/web → spec.clusterIP: Service {far}/web is not there; see --absent"
    for at in ("/data/url", "/metadata/annotations/ip"):
        assert f"ConfigMap {ns}/uses {at} {chain}" in message
    assert f"Deployment.apps {ns}/uses /spec/template/spec/containers/0/args/1 {chain}" in message
    assert bench.find("Namespace", "", ns, B) is None


@pytest.mark.parametrize("policy", ["keep", "drop", "empty"])
def test_what_is_done_about_absent_values(bench, absent, policy):
    ns, _, ip, saved = absent
    copy = bench.name()
    result = bench.restore(saved, map={ns: copy}, absent={"service-ip": policy})
    config = bench.get("ConfigMap", copy, "uses", B)
    (container,) = bench.get("Deployment", copy, "uses", B)["spec"]["template"]["spec"]["containers"]
    found = config["data"], config["metadata"].get("annotations"), container["args"]
    assert (
        found
        == {
            "keep": ({"url": f"tcp://{ip}:1", "plain": "stays"}, {"ip": ip}, ["--verbose", f"--far={ip}", "--port=1"]),
            "drop": ({"plain": "stays"}, None, ["--verbose", "--port=1"]),
            "empty": ({"url": "tcp://:1", "plain": "stays"}, {"ip": ""}, ["--verbose", "--far=", "--port=1"]),
        }[policy]
    )
    rewrites = {(each.path, each.new) for each in result.rewrites if each.old == ip}
    assert (("/data/url", {"drop": "(dropped)", "empty": ""}.get(policy)) in rewrites) is (policy != "keep")


def test_a_policy_of_another_class_does_not_count(bench, absent):
    ns, _, _, saved = absent
    with pytest.raises(PreflightError, match="see --absent"):
        bench.restore(saved, absent={"uid": "keep", "service-ip": "fail"})
    assert bench.find("Namespace", "", ns, B) is None


def test_what_never_comes_ends_the_restore_and_names_the_look_ups(bench):
    ns = bench.namespace()
    bench.make(WEB.replace("spec: {", "spec: {type: LoadBalancer, "), ns)
    status = {"status": {"loadBalancer": {"ingress": [{"hostname": "lb.example.org"}, {"ip": "203.0.113.77"}]}}}
    bench.patch("Service", ns, "web", status, subresource="status")
    bench.make(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: lb}, data: {ip: 203.0.113.77, n: lb.example.org}}", ns
    )
    saved = bench.backup(ns)
    assert saved.bindings == {"load-balancer": 2}
    message = rf"^ConfigMap {ns}/lb: no value for /data/\w+: Service {ns}/web → status.loadBalancer.ingress\[0\]"
    with pytest.raises(PermanentError, match=message):
        bench.restore(saved, wait_seconds=1)
    copy = bench.name()
    bench.restore(saved, map={ns: copy}, wait_seconds=1, absent={"load-balancer": "keep"})
    assert bench.get("ConfigMap", copy, "lb", B)["data"] == {"ip": "203.0.113.77", "n": "lb.example.org"}


# --- existing objects


def test_an_object_that_is_left_as_it_is_gets_no_value_and_one_that_is_updated_does(bench):
    ns = bench.namespace()
    for name in ("left", "updated"):
        (made,) = bench.make(f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}}}", ns)
        bench.patch("ConfigMap", ns, name, {"data": {"me": made["metadata"]["uid"], "more": "old"}})
    saved = bench.backup(ns)
    bench.namespace_named(ns, B)
    for name in ("left", "updated"):
        bench.make(f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}, data: {{more: new}}}}", ns, B)
    with pytest.raises(PreflightError, match=f"ConfigMap {ns}/left exists with other content"):
        bench.restore(saved)
    before = rested(bench, B, ns)
    assert bench.restore(saved, existing="skip").actions.keys() == {"unchanged", "skipped"}
    assert touch(bench, B, ns) == before
    bench.restore(saved, existing="update")
    found = bench.get("ConfigMap", ns, "updated", B)
    assert found["data"] == {"me": found["metadata"]["uid"], "more": "old"}
    bench.patch("ConfigMap", ns, "left", {"data": {"more": "newer"}}, B)
    former = bench.get("ConfigMap", ns, "left", B)["metadata"]["uid"]
    bench.restore(saved, existing="recreate")
    found = bench.get("ConfigMap", ns, "left", B)
    assert found["data"] == {"me": found["metadata"]["uid"], "more": "old"}
    assert found["metadata"]["uid"] != former


# --- what users say


def mutation(source, path, target, token=None):
    item = {"sourceRef": source, "sourcePath": path, "targetPath": target}
    return item | ({"token": token} if token else {})


def noted(name, items, data):
    text = items if isinstance(items, str) else json.dumps(items)
    meta = {"name": name, "annotations": {NOTE: text}}
    return orjson.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}).decode()


def test_what_a_user_binds_by_annotation_is_looked_up(bench):
    ns, copy = bench.namespace(), bench.name()
    bench.make(WEB, ns)
    service = {"kind": "Service", "name": "web"}
    items = [
        mutation(service, "$.spec.clusterIP", "$.data.url", "${ip}"),
        mutation(service, "$.spec.ports[0].port", "$.data.url", "${port}"),
        mutation(service | {"namespace": ns}, "$.metadata.resourceVersion", "$.data['a.b']"),
    ]
    bench.make(noted("user", items, {"url": "http://${ip}:${port}/${other}", "a.b": "anything"}), ns)
    saved = bench.backup(ns)
    assert (saved.phase, saved.bindings) == ("Completed", {"user": 3})
    for context, new in ((A, copy), (B, ns)):
        result = bench.restore(saved, context=context, map={ns: new})
        service = bench.get("Service", new, "web", context)
        data = bench.get("ConfigMap", new, "user", context)["data"]
        url = f"http://{service['spec']['clusterIP']}:80/${{other}}"
        assert data == {"url": url, "a.b": service["metadata"]["resourceVersion"]}
        assert {each.old for each in result.rewrites} >= {"${ip}", "${port}"}
        before = rested(bench, context, new)
        bench.restore(saved, context=context, map={ns: new})
        assert touch(bench, context, new) == before


MALFORMED = {
    "no-yaml": "{",
    "no-list": "a: b",
    "wildcard": [mutation({"kind": "Service", "name": "web"}, "$.spec.ports[*].port", "$.data.url")],
    "no-target": [mutation({"kind": "Service", "name": "web"}, "$.spec.clusterIP", "$.data.nothing")],
    "itself": [mutation({"kind": "ConfigMap", "name": "itself"}, "$.data.url", "$.data.url")],
}


def test_what_a_user_binds_wrongly_makes_the_backup_partial_and_is_named(bench):
    ns = bench.namespace()
    bench.make(WEB, ns)
    for name, items in MALFORMED.items():
        bench.make(noted(name, items, {"url": "x"}), ns)
    saved = bench.backup(ns)
    assert saved.phase == "Partial"
    assert {each.what for each in saved.problems} == {f"ConfigMap {ns}/{name}" for name in MALFORMED}
    assert all(NOTE in each.why for each in saved.problems)
    bench.restore(saved)
    assert bench.get("ConfigMap", ns, "wildcard", B)["data"] == {"url": "x"}


# --- bindings files


@pytest.fixture(scope="module")
def bound(bench):
    ns = bench.namespace()
    (service,) = bench.make(WEB, ns)
    bench.make(
        f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c}}, data: {{ip: {service['spec']['clusterIP']}}}}}", ns
    )
    return bench.backup(ns)


def signed(folder, name, text):
    """Put another bindings file into a backup, with digests that fit, as somebody who can write to the store may."""
    bindings, manifest = folder / "kubeferry-bindings.jsonl.gz", folder / "kubeferry-manifest.json.gz"
    bindings.write_bytes(gzip.compress(text))
    listed = orjson.loads(gzip.decompress(manifest.read_bytes()))
    data = bindings.read_bytes()
    listed["files"][f"backups/{name}/{bindings.name}"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    manifest.write_bytes(gzip.compress(orjson.dumps(listed)))
    backup = orjson.loads((folder / "velero-backup.json").read_bytes())
    digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
    backup["metadata"]["annotations"]["kubeferry.io/manifest-sha256"] = digest
    (folder / "velero-backup.json").write_bytes(orjson.dumps(backup))


HOSTILE = {
    "no json": lambda _: b"{",
    "no map": lambda _: [],
    "nothing": lambda _: {},
    "pointer": lambda line: line | {"pointer": "data/ip"},
    "no text": lambda line: line | {"value": 7},
    "kind": lambda line: line | {"kind": "everything"},
    "layers": lambda line: line | {"layers": ["rot13"]},
    "form": lambda line: line | {"form": ["token"]},
    "no chain": lambda line: line | {"chain": []},
    "step": lambda line: line | {"chain": [{"step": "exec", "command": "x"}, line["chain"][1]]},
    "read": lambda line: line | {"chain": [line["chain"][0], line["chain"][1] | {"what": "everything"}]},
    "identity": lambda line: line | {"object": ["", "ConfigMap", 1, "c"]},
    "changed": None,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_bindings_file_that_is_not_ours_writes_nothing(bench, bound, case):
    folder = bench.folder / "backups" / bound.name
    aside = bench.folder / "aside"
    shutil.copytree(folder, aside)
    path = folder / "kubeferry-bindings.jsonl.gz"
    (line,) = [orjson.loads(each) for each in gzip.decompress(path.read_bytes()).splitlines()]
    try:
        if HOSTILE[case] is None:
            path.write_bytes(gzip.compress(orjson.dumps(line | {"value": "10.0.0.1"})))
        else:
            spoilt = HOSTILE[case](line)
            signed(folder, bound.name, (spoilt if isinstance(spoilt, bytes) else orjson.dumps(spoilt)) + b"\n")
        with pytest.raises(DamagedError, match=f"^backup {bound.name}: "):
            bench.restore(bound)
    finally:
        shutil.rmtree(folder)
        aside.rename(folder)
    assert bench.find("Namespace", "", bound.namespaces[0], B) is None
