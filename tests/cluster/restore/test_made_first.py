"""What the controller of a restored object makes first is no conflict: it becomes what it was, or is reported."""

import threading

import pytest
import yaml
from tests.support.bench import B, did

from kubeferry.tasks.core.errors import AlreadyExistsError

SLOW = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: slow}
spec:
  replicas: 1
  selector: {matchLabels: {app: slow}}
  template:
    metadata: {labels: {app: slow}}
    spec: {containers: [{name: web, image: app:1}]}
"""
BOSS = "{apiVersion: v1, kind: ConfigMap, metadata: {name: boss}}"
TIE = "{apiVersion: v1, kind: ConfigMap, name: boss, uid: UID, controller: true}"
LATE = "annotations: {kubeferry.io/depends-on: Deployment/slow}"
GROWN = f"""
apiVersion: v1
kind: ConfigMap
metadata: {{name: child, labels: {{grown: "yes"}}, {LATE}, ownerReferences: [{TIE}]}}
data: {{size: "5"}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: disk, {LATE}, ownerReferences: [{TIE}]}}
spec: {{accessModes: [ReadWriteMany], storageClassName: standard, resources: {{requests: {{storage: 1Gi}}}}}}
"""
FIRST = f"""
apiVersion: v1
kind: ConfigMap
metadata: {{name: child, ownerReferences: [{TIE}]}}
data: {{size: "1"}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: disk, ownerReferences: [{TIE}]}}
spec: {{accessModes: [ReadWriteOnce], storageClassName: standard, resources: {{requests: {{storage: 1Gi}}}}}}
"""


def operate(bench, ns, end):
    """Make the children of `boss` as soon as it is there, as an operator does."""
    while not end.wait(0.02):
        if boss := bench.find("ConfigMap", ns, "boss", B):
            for each in yaml.safe_load_all(FIRST.replace("UID", boss["metadata"]["uid"])):
                try:
                    bench.make(yaml.safe_dump(each), ns, B)
                except AlreadyExistsError as error:
                    raise AssertionError("the restore was faster: this shows nothing") from error
            return


@pytest.fixture(scope="module")
def operated(bench):
    ns = bench.namespace()
    (boss,) = bench.make(BOSS, ns)
    bench.make(SLOW, ns)
    bench.make(GROWN.replace("UID", boss["metadata"]["uid"]), ns)
    bench.ready("Deployment", ns, "slow")
    saved, end = bench.backup(ns), threading.Event()
    operator = threading.Thread(target=operate, args=(bench, ns, end))
    operator.start()
    try:
        yield ns, bench.restore(saved)
    finally:
        end.set()
        operator.join()


def test_it_is_updated_to_what_it_had_become(bench, operated):
    ns, result = operated
    child = bench.get("ConfigMap", ns, "child", B)
    assert child["data"] == {"size": "5"}
    assert child["metadata"]["labels"] == {"grown": "yes"}
    assert [each["name"] for each in child["metadata"]["ownerReferences"]] == ["boss"]
    assert did(result, "ConfigMap", "child").startswith("updated had other content")
    assert "not linked" not in did(result, "ConfigMap", "child")


def test_what_cannot_be_changed_of_it_is_reported_and_stops_nothing(bench, operated):
    ns, result = operated
    assert bench.get("PersistentVolumeClaim", ns, "disk", B)["spec"]["accessModes"] == ["ReadWriteOnce"]
    (loss,) = [each for each in result.losses if each.code == "made-by-controller"]
    assert loss.object == f"PersistentVolumeClaim {ns}/disk"
    assert "spec.accessModes" in loss.why
    assert result.phase == "Partial"
