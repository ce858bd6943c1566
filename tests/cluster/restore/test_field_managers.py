"""Whoever applied an object before it was backed up can go on with it after a restore, and nobody else owns its fields.

The oracle is the API server: it refuses an apply that conflicts, and prunes what the applier's next one has no more.
"""

import copy
import json

import pytest
import yaml
from tests.support.bench import A, B, did

from kubeferry.flows.undo import undo
from kubeferry.tasks.core.errors import ConflictError
from kubeferry.tasks.core.models.options import UndoOptions

WEB = """
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
        - {name: MODE, value: fast}
        - {name: LEGACY, value: "1"}
"""
SETTINGS = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {a: '1', b: '2'}}"


def apply(bench, ns, obj, manager, context=A, *, force=False):
    """Apply an object server-side, as `kubectl apply --server-side --field-manager` does; return it as stored."""
    kind = bench.kind(obj["kind"], obj["apiVersion"], context)
    return bench.clusters[context].apply(kind, ns, obj, force=force, manager=manager)


def newer():
    """Return the next release of the Deployment: another image, and one variable less."""
    obj = yaml.safe_load(WEB)
    (container,) = obj["spec"]["template"]["spec"]["containers"]
    container["image"], container["env"] = "registry.example.com/web:2", container["env"][:1]
    return obj


def ours(live):
    """Return the fields that entries of Kubeferry own."""
    return [each["fieldsV1"] for each in live["metadata"]["managedFields"] if "kubeferry" in each["manager"]]


def owned_of_ours(live):
    """Return whether an entry of Kubeferry owns a field that the object has."""
    return any("f:spec" in each or "f:data" in each or "f:labels" in json.dumps(each) for each in ours(live))


@pytest.fixture(scope="module")
def applied(bench):
    ns = bench.namespace()
    apply(bench, ns, yaml.safe_load(WEB), "release")
    apply(bench, ns, {**yaml.safe_load(SETTINGS), "data": {"a": "1"}}, "one")
    apply(bench, ns, {**yaml.safe_load(SETTINGS), "data": {"b": "2"}}, "two")
    bench.ready("Deployment", ns, "web")
    return ns, bench.backup(ns).name


def test_01_managed_fields(bench, applied):
    """The same manager's next apply succeeds after a restore, and what it no longer has goes, as on the original."""
    old, backup = applied
    ns = bench.name()
    bench.restore(backup, map={old: ns})
    for space, context in ((ns, B), (old, A)):
        live = apply(bench, space, newer(), "release", context)
        (container,) = live["spec"]["template"]["spec"]["containers"]
        assert (container["image"][-1], [each["name"] for each in container["env"]]) == ("2", ["MODE"])
    apply(bench, old, yaml.safe_load(WEB), "release")


def test_each_of_two_appliers_has_its_own_fields_again(bench, applied):
    old, backup = applied
    ns = bench.name()
    bench.restore(backup, map={old: ns})
    with pytest.raises(ConflictError, match="one"):
        apply(bench, ns, {**yaml.safe_load(SETTINGS), "data": {"a": "9"}}, "two", B)
    live = apply(bench, ns, {**yaml.safe_load(SETTINGS), "data": {"c": "3"}}, "two", B)
    assert live["data"] == {"a": "1", "c": "3"}
    assert not owned_of_ours(live)


def test_what_was_created_or_applied_by_a_client_belongs_to_that_client(bench):
    """Its manager, not the restore, is named when an apply conflicts."""
    ns = bench.namespace()
    kind = bench.kind("ConfigMap")
    made, _ = bench.clusters[A].create(kind, ns, yaml.safe_load(SETTINGS), manager="kubectl-client-side-apply")
    saved = bench.backup(ns)
    target = bench.name()
    bench.restore(saved, map={ns: target})
    live = bench.get("ConfigMap", target, "settings", B)
    assert not owned_of_ours(live)
    assert {each["manager"] for each in live["metadata"]["managedFields"]} >= {"kubectl-client-side-apply"}
    assert live["data"] == made["data"]
    with pytest.raises(ConflictError, match="kubectl-client-side-apply"):
        apply(bench, target, {**yaml.safe_load(SETTINGS), "data": {"a": "9"}}, "new", B)
    assert len(ours(live)) == 1  # the mark, by which undo and delete know what they may revert


def test_what_a_restore_updates_stays_with_those_who_applied_it(bench, applied):
    old, backup = applied
    ns = bench.namespace("t", B)
    theirs = {**yaml.safe_load(SETTINGS), "data": {"a": "5", "z": "7"}}
    apply(bench, ns, theirs, "one", B)
    result = bench.restore(backup, map={old: ns}, existing="update")
    assert did(result, "ConfigMap", "settings").startswith("updated")
    live = bench.get("ConfigMap", ns, "settings", B)
    assert (live["data"], owned_of_ours(live)) == ({"a": "1", "b": "2"}, False)
    assert apply(bench, ns, {**theirs, "data": {"a": "6"}}, "one", B)["data"] == {"a": "6", "b": "2"}


def test_a_value_that_came_late_belongs_to_the_applier_too(bench):
    """The address of a Service is patched in when it is known; the next apply may change it without a conflict."""
    ns = bench.namespace()
    (service,) = bench.make(
        "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80}]}}", ns
    )
    obj = yaml.safe_load(WEB)
    (container,) = obj["spec"]["template"]["spec"]["containers"]
    container["env"] = [{"name": "HOST", "value": service["spec"]["clusterIP"]}]
    apply(bench, ns, obj, "release")
    saved = bench.backup(ns)
    target = bench.name()
    bench.restore(saved, map={ns: target})
    live = bench.get("Deployment", target, "web", B)
    value = live["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"]
    assert value == bench.get("Service", target, "web", B)["spec"]["clusterIP"]
    assert not owned_of_ours(live)
    after = copy.deepcopy(obj)
    after["spec"]["template"]["spec"]["containers"][0]["env"] = []
    done = apply(bench, target, after, "release", B)
    assert "env" not in done["spec"]["template"]["spec"]["containers"][0]


def test_an_undo_gives_back_the_managers_with_the_content(bench, applied):
    old, backup = applied
    ns = bench.namespace("t", B)
    theirs = {**yaml.safe_load(SETTINGS), "data": {"a": "5"}}
    before = apply(bench, ns, theirs, "one", B)["metadata"]["managedFields"]
    result = bench.restore(backup, map={old: ns}, existing="update")
    assert did(result, "ConfigMap", "settings").startswith("updated")
    bench.run_flow(undo(UndoOptions(restore=result.name, context=B, privileged=True, **bench.where)))
    live = bench.get("ConfigMap", ns, "settings", B)
    assert (live["data"], live["metadata"]["managedFields"]) == ({"a": "5"}, before)
