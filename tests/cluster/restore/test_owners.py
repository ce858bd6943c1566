"""Owners that an object cannot have are refused with the reason, and the garbage collector leaves what is restored."""

import orjson
import pytest
import yaml
from tests.cluster.restore.test_order import tie
from tests.cluster.restore.test_velero_archives import store
from tests.support.bench import B, did

ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: {name}, ownerReferences: [{owner}]}}
rules: [{{apiGroups: [""], resources: [pods], verbs: [get]}}]
"""

BINDING = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: uses}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {name}}}
subjects: [{{kind: ServiceAccount, name: default, namespace: {ns}}}]
"""


def config(namespace, name, **meta):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace, **meta}}


def controlled(obj):
    """Return the owners of an object without the bundle of the restore."""
    return [each for each in obj["metadata"].get("ownerReferences", []) if each["kind"] != "Bundle"]


def test_an_owner_in_another_namespace_is_refused_and_its_namesake_here_is_none(bench):
    """As an archive may hold it: a cluster collects such an object sooner or later."""
    shop, bank = bench.name(), bench.name()
    boss = {"apiVersion": "v1", "kind": "ConfigMap", "name": "boss", "uid": "8f3c1f7e-0000-4000-8000-000000000001"}
    objects = [
        config(bank, "boss", uid=boss["uid"]),
        config(shop, "boss", uid="8f3c1f7e-0000-4000-8000-000000000002"),
        config(shop, "child", ownerReferences=[boss | {"controller": True}]),
        config(bank, "child", ownerReferences=[boss]),
    ]
    at = "resources/configmaps/namespaces/{namespace}/{name}.json"
    saved = store(bench, [(at.format(**obj["metadata"]), orjson.dumps(obj)) for obj in objects])
    for ns in (shop, bank):
        bench.namespace_named(ns, context=B)
    result = bench.restore(saved)
    assert (
        did(result, "ConfigMap", "child")
        == f"created not owned by ConfigMap boss, which is in another namespace, {bank}"
    )
    assert controlled(bench.get("ConfigMap", shop, "child", B)) == []
    (kept,) = controlled(bench.get("ConfigMap", bank, "child", B))
    assert kept["uid"] == bench.get("ConfigMap", bank, "boss", B)["metadata"]["uid"]
    bench.collected(context=B)
    for ns in (shop, bank):
        assert "deletionTimestamp" not in bench.get("ConfigMap", ns, "child", B)["metadata"]


@pytest.fixture
def wide(bench):
    """A namespace on A with a ConfigMap that a ClusterRole names as its owner."""
    ns = bench.namespace()
    (boss,) = bench.make(yaml.safe_dump(config(ns, "boss")))
    bench.make(ROLE.format(name=ns, owner=orjson.dumps(tie(boss)).decode()))
    bench.make(BINDING.format(name=ns, ns=ns), ns)
    return ns


def test_what_is_in_a_namespace_owns_nothing_cluster_wide(bench, wide):
    bench.collected()
    assert bench.get("ClusterRole", "", wide), "the garbage collector of the source leaves it"
    result = bench.restore(bench.backup(wide), context=B)
    bench.forget("ClusterRole", wide)
    expected = "created not owned by ConfigMap boss, which is namespaced and cannot own a cluster-scoped object"
    assert did(result, "ClusterRole.rbac.authorization.k8s.io", wide) == expected
    assert controlled(bench.get("ClusterRole", "", wide, B)) == []
    bench.collected(context=B)
    assert "deletionTimestamp" not in bench.get("ClusterRole", "", wide, B)["metadata"]


def test_so_is_an_owner_of_a_kind_that_only_the_target_knows(bench):
    ns = bench.namespace()
    group = bench.crd(ns, context=B)
    owner = {
        "apiVersion": f"{group}/v1",
        "kind": "Widget",
        "name": "boss",
        "uid": "8f3c1f7e-0000-4000-8000-000000000003",
    }
    role = yaml.safe_load(ROLE.format(name=ns, owner=orjson.dumps(owner).decode()))
    path = f"resources/clusterroles.rbac.authorization.k8s.io/cluster/{ns}.json"
    result = bench.restore(store(bench, [(path, orjson.dumps(role))]))
    bench.forget("ClusterRole", ns)
    expected = "created not owned by Widget boss, which is namespaced and cannot own a cluster-scoped object"
    assert did(result, "ClusterRole.rbac.authorization.k8s.io", ns) == expected
