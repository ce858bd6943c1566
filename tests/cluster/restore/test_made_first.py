"""What the controller of a restored object makes first is no conflict: it becomes what it was, or is reported."""

import threading

import pytest
from tests.support.bench import B, did

from kubeferry.tasks.restore import apply

BOSS = "{apiVersion: v1, kind: ConfigMap, metadata: {name: boss}}"
TIE = "{apiVersion: v1, kind: ConfigMap, name: boss, uid: UID, controller: true}"
GROWN = f"""
apiVersion: v1
kind: ConfigMap
metadata: {{name: child, labels: {{grown: "yes"}}, ownerReferences: [{TIE}]}}
data: {{size: "5"}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: disk, ownerReferences: [{TIE}]}}
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


SECONDS = 60
"""How long the operator may take."""


def operate(bench, ns, end, made):
    """Make the children of `boss` as soon as it is there, as an operator does."""
    while not end.wait(0.02):
        if boss := bench.find("ConfigMap", ns, "boss", B):
            bench.make(FIRST.replace("UID", boss["metadata"]["uid"]), ns, B)
            made.set()
            return


@pytest.fixture(scope="module")
def operated(bench):
    """A namespace, and the result of its restore, which is about to create the children when the operator has."""
    ns = bench.namespace()
    (boss,) = bench.make(BOSS, ns)
    bench.make(GROWN.replace("UID", boss["metadata"]["uid"]), ns)
    saved, end, made = bench.backup(ns), threading.Event(), threading.Event()
    create = apply.create

    def later(cluster, kind, body, *more):
        if body["metadata"]["name"] in {"child", "disk"}:
            assert made.wait(SECONDS), "the operator made nothing"
        return create(cluster, kind, body, *more)

    operator = threading.Thread(target=operate, args=(bench, ns, end, made))
    operator.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(apply, "create", later)
            result = bench.restore(saved)
        yield ns, result
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
