"""Values that a cluster hands out are the right new ones after a restore, through three levels of look-ups, anywhere.

A custom resource holds the IP of a Service, whose hand-made Endpoints hold the IP of a Deployment's pod, whose
environment holds the IP of its host.
"""

import json
from dataclasses import dataclass
from string import Template

import pytest
from tests.support.bench import A, B, rested, touch

from kubeferry.tasks.core.kube.objects import Ref, controller_of
from kubeferry.tasks.core.lookup.follow import is_ready
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.core.models.results import RestoreResult
from kubeferry.tasks.plan.offline import planned

WORKLOAD = Template("""
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  replicas: 2
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      containers:
      - {name: app, image: "app:$node_ip", env: [{name: HOST, value: $node_ip}], args: ["--host=$node_ip:80"]}
""")

MANUAL = Template("""
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {ports: [{port: 5432}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: db}
subsets:
- addresses:
  - {ip: $pod_ip, nodeName: $pod_node, targetRef: {kind: Pod, name: $pod, namespace: $ns, uid: $pod_uid}}
  ports: [{port: 5432}]
---
apiVersion: v1
kind: Service
metadata: {name: db2}
spec: {ports: [{port: 5432}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db2-manual, labels: {kubernetes.io/service-name: db2}}
addressType: IPv4
ports: [{port: 5432}]
endpoints:
- addresses: [$pod_ip]
  nodeName: $pod_node
  conditions: {ready: true}
  targetRef: {kind: Pod, name: $pod, namespace: $ns, uid: $pod_uid}
""")

CUSTOM = Template("""
apiVersion: $group/v1
kind: Widget
metadata: {name: client}
spec: {url: "postgres://user@$db_ip:5432/shop", replicas: ["$db2_ip:5432"], deployment: $app_uid}
""")


def ready_pods(bench, ns, context, app="app"):
    """Return the ready pods of a Deployment, by name."""
    pods = [each for each in bench.list("Pod", ns, context) if each["metadata"].get("labels", {}).get("app") == app]
    return sorted((each for each in pods if is_ready(each)), key=lambda each: each["metadata"]["name"])


@dataclass
class Deep:
    """The three levels, backed up, and restored beside the first and on the other cluster."""

    ns: str
    group: str
    old: dict
    saved: object
    places: dict[str, tuple[str, str]]
    results: dict[str, RestoreResult]


@pytest.fixture(scope="module")
def deep(bench):
    ns = bench.namespace()
    group = bench.crd(ns)
    bench.forget("CustomResourceDefinition", f"widgets.{group}")
    node = bench.list("Node")[1]
    old = {"ns": ns, "group": group, "node_ip": node["status"]["addresses"][0]["address"]}
    (app,) = bench.make(WORKLOAD.substitute(old), ns)
    bench.ready("Deployment", ns, "app")
    pod = ready_pods(bench, ns, A)[1]
    old |= {"app_uid": app["metadata"]["uid"], "pod": pod["metadata"]["name"], "pod_uid": pod["metadata"]["uid"]}
    old |= {"pod_ip": pod["status"]["podIP"], "pod_node": pod["spec"]["nodeName"]}
    bench.make(MANUAL.substitute(old), ns)
    old |= {f"{name}_ip": bench.get("Service", ns, name)["spec"]["clusterIP"] for name in ("db", "db2")}
    bench.make(CUSTOM.substitute(old), ns)
    saved = bench.backup(ns)
    places = {"beside": (A, bench.name()), "across": (B, ns)}
    results = {where: bench.restore(saved, context=context, map={ns: new}) for where, (context, new) in places.items()}
    return Deep(ns, group, old, saved, places, results)


@pytest.fixture(params=["beside", "across"])
def where(request):
    return request.param


def test_a_backup_records_what_it_bound(deep):
    assert deep.saved.phase == "Completed"
    assert deep.saved.bindings == {
        "node-ip": 4,  # the Deployment's, and those of its ReplicaSet
        "node-name": 2,
        "pod-ip": 2,
        "pod-name": 2,
        "service-ip": 2,
        "uid": 1,
    }


def test_a_custom_resource_has_the_new_ip_of_its_service(bench, deep, where):
    context, ns = deep.places[where]
    spec = bench.get(f"Widget.{deep.group}", ns, "client", context)["spec"]
    db, db2 = (bench.get("Service", ns, name, context)["spec"]["clusterIP"] for name in ("db", "db2"))
    uid = bench.get("Deployment", ns, "app", context)["metadata"]["uid"]
    assert spec == {"url": f"postgres://user@{db}:5432/shop", "replicas": [f"{db2}:5432"], "deployment": uid}
    assert {db, db2}.isdisjoint({deep.old["db_ip"], deep.old["db2_ip"]})


def test_manual_endpoints_have_a_ready_pod_of_the_new_deployment(bench, deep, where):
    context, ns = deep.places[where]
    pod = ready_pods(bench, ns, context)[1]
    # Its uid is left out: nobody needs it, and a restore by other tools would leave an old one.
    target = {"kind": "Pod", "name": pod["metadata"]["name"], "namespace": ns}
    entry = {"ip": pod["status"]["podIP"], "nodeName": pod["spec"]["nodeName"], "targetRef": target}
    (subset,) = bench.get("Endpoints", ns, "db", context)["subsets"]
    assert subset["addresses"] == [entry]
    (endpoint,) = bench.get("EndpointSlice", ns, "db2-manual", context)["endpoints"]
    assert endpoint == {
        "addresses": [entry["ip"]],
        "nodeName": entry["nodeName"],
        "targetRef": target,
        "conditions": {"ready": True},
    }
    assert entry["ip"] != deep.old["pod_ip"]


def test_an_environment_has_the_ip_of_a_node_of_its_cluster(bench, deep, where):
    context, ns = deep.places[where]
    nodes = [each["status"]["addresses"][0]["address"] for each in bench.list("Node", context=context)]
    (container,) = bench.get("Deployment", ns, "app", context)["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "HOST", "value": nodes[1]}]
    assert container["args"] == [f"--host={nodes[1]}:80"]
    assert container["image"] == f"app:{deep.old['node_ip']}", "a tag is no address"


def test_the_levels_are_in_the_order_of_the_look_ups(bench, deep, where):
    _, ns = deep.places[where]
    with planned(RestoreOptions(backup=deep.saved.name, map={deep.ns: ns}, **bench.where)) as plan:
        level = {ref: number for number, refs in enumerate(plan.parts.order.levels) for ref in refs}
        assert plan.parts.order.broken == []
    app, db, db2 = Ref("apps", "Deployment", ns, "app"), Ref("", "Service", ns, "db"), Ref("", "Service", ns, "db2")
    for endpoints in (Ref("", "Endpoints", ns, "db"), Ref("discovery.k8s.io", "EndpointSlice", ns, "db2-manual")):
        assert level[app] < level[endpoints]
    assert max(level[db], level[db2], level[app]) < level[Ref(deep.group, "Widget", ns, "client")]


def test_every_rewrite_is_reported(bench, deep, where):
    context, ns = deep.places[where]
    rewrites = {(each.object, each.path): (each.old, each.new) for each in deep.results[where].rewrites}
    pod, old = ready_pods(bench, ns, context)[1], deep.old
    endpoints, at = f"Endpoints {ns}/db", "/subsets/0/addresses/0"
    db = bench.get("Service", ns, "db", context)["spec"]["clusterIP"]
    assert rewrites[f"Widget.{deep.group} {ns}/client", "/spec/url"] == (old["db_ip"], db)
    assert rewrites[endpoints, f"{at}/ip"] == (old["pod_ip"], pod["status"]["podIP"])
    assert rewrites[endpoints, f"{at}/targetRef/name"] == (old["pod"], pod["metadata"]["name"])
    if where == "across":
        assert rewrites[endpoints, f"{at}/nodeName"] == (old["pod_node"], pod["spec"]["nodeName"])


def test_nothing_of_the_old_cluster_is_left(bench, deep, where):
    context, ns = deep.places[where]
    gone = ["app_uid", "pod", "pod_uid", "pod_ip", "db_ip", "db2_ip", *(["pod_node"] if where == "across" else [])]
    for kind in ("Deployment", "Service", "Endpoints", "EndpointSlice", f"Widget.{deep.group}"):
        for obj in bench.list(kind, ns, context):
            text = json.dumps({**obj, "metadata": {**obj["metadata"], "managedFields": None}})
            assert [name for name in gone if deep.old[name] in text] == [], obj["metadata"]["name"]


def test_restored_again_all_is_unchanged(bench, deep, where):
    context, ns = deep.places[where]
    before = rested(bench, context, ns)
    again = bench.restore(deep.saved, context=context, map={deep.ns: ns})
    assert set(again.actions) <= {"unchanged", "kept"}, again.notable
    assert touch(bench, context, ns) == before
    assert {controller_of(each)["kind"] for each in ready_pods(bench, ns, context)} == {"ReplicaSet"}
