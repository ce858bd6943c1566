"""Status and finalizers: what a restore writes apart from an object, or leaves and says so."""

import pytest
import yaml
from tests.support.bench import A, B, definition

from kubeferry.tasks.core.formats.losses import LossCode
from kubeferry.tasks.ports.records.restores import open_restore
from kubeferry.tasks.ports.store.open import open_store

pytestmark = pytest.mark.exclusive

OPERATOR = """
apiVersion: v1
kind: ServiceAccount
metadata: {{name: operator}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: operator}}
rules: [{{apiGroups: [{group}], resources: [databases, databases/finalizers], verbs: [get, list, watch, update]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: operator}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: operator}}
subjects: [{{kind: ServiceAccount, name: operator}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: operator}}
spec:
  selector: {{matchLabels: {{app: operator}}}}
  template:
    metadata: {{labels: {{app: operator}}}}
    spec: {{serviceAccountName: operator, containers: [{{name: operator, image: operator}}]}}
"""
STATUS = {"endpoint": "main.db.example.com", "serial": 7}


def with_subresource(group):
    """Return a definition with the status subresource."""
    obj = yaml.safe_load(definition(group, "Database"))
    obj["spec"]["versions"][0]["subresources"] = {"status": {}}
    return yaml.safe_dump(obj)


def database(group, name, **meta):
    """Return an object as YAML."""
    return yaml.safe_dump({"apiVersion": f"{group}/v1", "kind": "Database", "metadata": {"name": name, **meta}})


def codes(result, name):
    """Return the codes of what a result says of an object."""
    return sorted(each.code for each in result.losses if each.object.endswith(f"/{name}"))


@pytest.fixture(scope="module")
def databases(bench):
    """Return a namespace with objects of a kind that has a status, and of one whose status is data; and a backup."""
    ns = bench.namespace()
    group, plain = f"{ns}.example.com", f"{ns}.plain.example.com"
    bench.make(with_subresource(group))
    bench.make(definition(plain, "Record"))
    known = {(group, "Database"), (plain, "Record")}
    bench.until(lambda: known <= bench.clusters[A].discover().versions.keys())
    bench.make(database(group, "main"), ns)
    bench.make(database(group, "kept", annotations={"velero.io/restore-status": "true"}), ns)
    for name in ("main", "kept"):
        bench.patch("Database", ns, name, {"status": STATUS}, subresource="status")
    bench.make(f"{{apiVersion: {plain}/v1, kind: Record, metadata: {{name: log}}, status: {{seen: [1, 2]}}}}", ns)
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: app, finalizers: [example.com/clean-up-cloud]}}", ns)
    bench.make(
        "{apiVersion: v1, kind: Secret, metadata: {name: own, labels: {velero.io/exclude-from-backup: 'true'}}}", ns
    )
    bench.make(database(group, "guarded", finalizers=[f"{group}/clean-up", "other.io/x"]), ns)
    for kind in (f"databases.{group}", f"records.{plain}"):
        bench.forget("CustomResourceDefinition", kind)
    return ns, group, bench.backup(ns).name


def status_of(bench, ns, name, kind="Database"):
    return bench.get(kind, ns, name, B).get("status")


def test_04_cr_status(bench, databases):
    """A status is left and said to be, unless it is asked for by kind or by Velero's annotation."""
    old, _, backup = databases
    ns = bench.name()
    result = bench.restore(backup, map={old: ns})
    assert (status_of(bench, ns, "main"), codes(result, "main")) == (None, [LossCode.STATUS_LEFT])
    assert (status_of(bench, ns, "kept"), codes(result, "kept")) == (STATUS, [])
    again = bench.name()
    result = bench.restore(backup, map={old: again}, status=["databases"])
    assert (status_of(bench, again, "main"), codes(result, "main")) == (STATUS, [])
    managers = [
        (each["manager"], each.get("subresource"))
        for each in bench.get("Database", again, "main", B)["metadata"]["managedFields"]
    ]
    assert not [each for each in managers if each[0].startswith("kubeferry") and each[1] == "status"]
    told = open_restore(open_store(bench.where["store"]), result.name).state.losses
    assert {each.code for each in told if each.object.endswith("/guarded")} >= {LossCode.FINALIZER_LEFT}


def test_show_of_a_restore_has_one_section_of_what_is_not_as_it_was(bench, databases, kubeferry):
    """Hours later, from the store alone: what its result said, in one list."""
    old, _, backup = databases
    result = bench.restore(backup, map={old: bench.name()})
    code, out, _ = kubeferry("show", result.name, "--store", bench.where["store"])
    section = out[out.index("Not as it was") :]
    assert code == 0
    for words in (
        "/main /status",
        "left without finalizer example.com/clean-up-cloud",
        "/own",
    ):
        assert words in " ".join(section.split()), words


def test_a_status_without_a_subresource_is_data_and_comes_back(bench, databases):
    old, _, backup = databases
    ns = bench.name()
    result = bench.restore(backup, map={old: ns})
    assert (status_of(bench, ns, "log", "Record"), codes(result, "log")) == ({"seen": [1, 2]}, [])


def test_26_finalizer_lost(bench, databases):
    """One that nothing on the target can remove is left, and named; with `keep` it is there, when all is ready."""
    old, _, backup = databases
    ns = bench.name()
    result = bench.restore(backup, map={old: ns})
    assert codes(result, "app") == [LossCode.FINALIZER_LEFT]
    assert "example.com/clean-up-cloud" in next(each.why for each in result.losses if each.object.endswith("/app"))
    assert "finalizers" not in bench.get("ConfigMap", ns, "app", B)["metadata"]
    assert codes(result, "guarded") == [LossCode.FINALIZER_LEFT, LossCode.FINALIZER_LEFT]
    kept = bench.name()
    result = bench.restore(backup, map={old: kept}, finalizers="keep")
    assert bench.get("ConfigMap", kept, "app", B)["metadata"]["finalizers"] == ["example.com/clean-up-cloud"]
    assert codes(result, "app") == []
    free(bench, kept)


def free(bench, ns):
    """Remove the finalizers of a namespace's objects, so that they can go."""
    for kind, name in (("ConfigMap", "app"), ("Database", "guarded")):
        bench.patch(kind, ns, name, {"metadata": {"finalizers": []}}, B)


def test_a_finalizer_comes_back_where_its_operator_runs(bench, databases):
    old, group, backup = databases
    ns = bench.namespace("t", B)
    bench.make(OPERATOR.format(group=group), ns, B)
    result = bench.restore(backup, map={old: ns})
    live = bench.get("Database", ns, "guarded", B)
    assert live["metadata"]["finalizers"] == [f"{group}/clean-up", "other.io/x"]
    assert codes(result, "guarded") == []
    bench.delete("Deployment", ns, "operator", B)
    free(bench, ns)


def test_finalizers_that_are_not_wanted_are_listed(bench, databases):
    old, _, backup = databases
    ns = bench.name()
    result = bench.restore(backup, map={old: ns}, finalizers="drop")
    assert (codes(result, "app"), result.phase) == ([LossCode.FINALIZER_LEFT], "Completed")
