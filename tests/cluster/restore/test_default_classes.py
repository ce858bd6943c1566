"""A class that comes never becomes the default of a cluster that has one: it comes without, and that is listed."""

import json

import pytest
from tests.support.bench import A, B

pytestmark = pytest.mark.exclusive

CASE_10 = """
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: CLASS}
value: 1000
globalDefault: true
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      priorityClassName: CLASS
      containers:
      - name: web
        image: registry.example.com/web:1
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {greeting: hello}
"""


def priority(name, **more):
    body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": 7}
    return json.dumps(body | more)


def told(result):
    return [(each.object, each.path, each.code, each.why) for each in result.losses]


@pytest.fixture(scope="module")
def gold(bench):
    """Case 10 on A, whose default class is used by a Deployment; gone from A again: namespace, class and backup."""
    ns = bench.namespace()
    bench.make(CASE_10.replace("CLASS", ns), ns)
    saved = bench.backup(ns)
    bench.delete("PriorityClass", "", ns)
    return ns, saved


def test_case_10_priorityclass_default(bench, gold):
    ns, saved = gold
    other = bench.name("other")
    bench.make(priority(other, globalDefault=True), context=B)
    result = bench.restore(saved)
    bench.forget("PriorityClass", ns)
    assert bench.get("PriorityClass", "", ns, B).get("globalDefault", False) is False
    assert bench.get("PriorityClass", "", ns, B)["value"] == 1000
    assert bench.get("Deployment", ns, "web", B)["spec"]["template"]["spec"]["priorityClassName"] == ns
    why = f"comes without being the default: PriorityClass {other} is"
    assert told(result) == [(f"PriorityClass.scheduling.k8s.io {ns}", "/globalDefault", "default-class", why)]
    assert result.phase == "Completed"
    again = bench.restore(saved)
    assert (again.phase, set(again.actions)) == ("Completed", {"unchanged"})
    bench.delete("PriorityClass", "", other, B)


def test_where_no_other_is_the_default_it_stays(bench, gold):
    ns, saved = gold
    result = bench.restore(saved, context=A, map={ns: bench.name()})
    assert bench.get("PriorityClass", "", ns)["globalDefault"] is True
    assert told(result) == []
    bench.delete("PriorityClass", "", ns)


def test_classes_of_storage_and_ingress_come_without_and_one_of_two_stays(bench):
    """B has a default StorageClass and no default IngressClass."""
    ns = bench.namespace()
    mark, old = ("storageclass.kubernetes.io/is-default-class", "ingressclass.kubernetes.io/is-default-class")
    disk = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "none.example.com"}
    edge = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "spec": {"controller": "example.com/none"}}
    for body, named, key in ((disk, "disk", mark), (edge, "edge-1", old), (edge, "edge-2", old)):
        meta = {"name": f"{ns}-{named}", "annotations": {key: "true", "keep": "k"}}
        bench.make(json.dumps(body | {"metadata": meta}))
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}}
    bench.make(json.dumps(claim | {"spec": spec | {"storageClassName": f"{ns}-disk"}}), ns)
    for number in (1, 2):
        rules = {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}
        ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": f"in-{number}"}}
        bench.make(json.dumps(ingress | {"spec": rules | {"ingressClassName": f"{ns}-edge-{number}"}}), ns)
    saved = bench.backup(ns)
    for kind, named in (("StorageClass", "disk"), ("IngressClass", "edge-1"), ("IngressClass", "edge-2")):
        bench.delete(kind, "", f"{ns}-{named}")
        bench.forget(kind, f"{ns}-{named}")
    result = bench.restore(saved, wait=False)
    assert [(each.object, each.why) for each in result.losses] == [
        (
            f"IngressClass.networking.k8s.io {ns}-edge-2",
            f"comes without being the default: IngressClass {ns}-edge-1 is",
        ),
        (f"StorageClass.storage.k8s.io {ns}-disk", "comes without being the default: StorageClass standard is"),
    ]
    assert bench.get("StorageClass", "", f"{ns}-disk", B)["metadata"]["annotations"] == {"keep": "k"}
    assert bench.get("IngressClass", "", f"{ns}-edge-2", B)["metadata"]["annotations"] == {"keep": "k"}
    assert bench.get("IngressClass", "", f"{ns}-edge-1", B)["metadata"]["annotations"] == {old: "true", "keep": "k"}
