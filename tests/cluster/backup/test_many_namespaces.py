"""Backups of many namespaces: read at once or each on its own, they are the same."""

import json

import pytest
from tests.support.accounts import until_allowed
from tests.support.bench import A

from kubeferry.tasks.backup.discover import _namespaces
from kubeferry.tasks.core.models.options import BackupOptions
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.records.backups import open_backup
from kubeferry.tasks.ports.store.open import open_store

pytestmark = pytest.mark.exclusive

CONTENT = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings, labels: {{of: {own}}}}}
data: {{own: {own}, number: "{number}"}}
---
apiVersion: v1
kind: Secret
metadata: {{name: token}}
stringData: {{word: of-{own}}}
"""

# May list everything in two namespaces, and nothing in all of the cluster but namespaces.
INSIDE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: reads, namespace: {ns}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: viewer}}]
"""


@pytest.fixture(scope="module")
def namespaces(bench):
    names = [bench.namespace("many") for _ in range(6)]
    for number, own in enumerate(names):
        bench.make(CONTENT.format(own=own, number=number), own)
        bench.until(lambda own=own: bench.find("ConfigMap", own, "kube-root-ca.crt"))
    return names


def held(bench, result):
    return open_backup(open_store(bench.where["store"]), result.name).manifest


def test_read_at_once_is_the_same(bench, namespaces, monkeypatch):
    monkeypatch.setattr("kubeferry.tasks.backup.discover.list_cluster_wide", lambda *_: False)
    one_by_one = held(bench, bench.backup(*namespaces))
    monkeypatch.setattr("kubeferry.tasks.backup.discover.list_cluster_wide", lambda *_: True)
    asked = []
    request = bench.clusters[A].request
    monkeypatch.setattr(
        bench.clusters[A], "request", lambda method, path, **more: asked.append(path) or request(method, path, **more)
    )
    together = held(bench, bench.backup(*namespaces))
    assert together.objects == one_by_one.objects
    assert len(together.objects) >= 3 * len(namespaces)
    assert together.phase.value == "Completed"
    assert together.left_out == one_by_one.left_out
    assert "/api/v1/secrets" in asked
    assert not [path for path in asked if path.startswith(f"/api/v1/namespaces/{namespaces[0]}/")]


def test_who_may_not_list_all_of_the_cluster_loses_nothing(bench, namespaces, monkeypatch):
    two = namespaces[:2]
    for ns in two:
        bench.make(INSIDE.format(ns=ns))
        until_allowed(bench, "list", "Secret", ns, context=f"{A}-viewer")
    monkeypatch.setattr("kubeferry.tasks.backup.discover.list_cluster_wide", lambda *_: False)
    one_by_one = held(bench, bench.backup(*two, context=f"{A}-viewer"))
    monkeypatch.setattr("kubeferry.tasks.backup.discover.list_cluster_wide", lambda *_: True)
    together = held(bench, bench.backup(*two, context=f"{A}-viewer"))
    assert together.objects == one_by_one.objects
    assert {f"resources/secrets/namespaces/{ns}/token.json" for ns in two} <= together.objects.keys()
    assert sorted(map(str, together.problems)) == sorted(map(str, one_by_one.problems))


def test_all_namespaces_are_those_that_are_not_of_kubernetes(bench, namespaces):
    cluster = connect(A, bench.where["kubeconfig"])
    found = _namespaces(cluster, BackupOptions(all_namespaces=True))
    assert set(namespaces) <= set(found)
    assert "default" in found
    assert not [name for name in found if name.startswith("kube-")]
    named = _namespaces(
        cluster, BackupOptions(all_namespaces=True, namespaces=["kube-public"], exclude_namespace=["many-*"])
    )
    assert "kube-public" in named
    assert not set(namespaces) & set(named)


def test_the_command_takes_all_namespaces(kubeferry, bench, namespaces):
    args = [
        "backup",
        "-A",
        "--exclude-namespace",
        "[!m]*",
        "--exclude-namespace",
        "m[!a]*",
        "--store",
        bench.where["store"],
    ]
    code, out, err = kubeferry(*args, "--include", "configmaps", "-o", "json")
    assert code == 0, err
    assert set(namespaces) <= set(json.loads(out)["namespaces"])
