"""The rules of `kubeferry doctor --rules`, for types that no sandbox has."""

import pytest

from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.core.ops.cluster_roles import cluster_roles

ALL = frozenset({"get", "list", "watch", "create", "update", "patch", "delete"})
WRITES = ["get", "list", "watch", "create", "delete", "patch", "update"]


def kind(group, resource, *, namespaced=True, verbs=ALL):
    parts = frozenset({"status", "exec", "proxy", "scale", "token"})
    return ResourceType(group, "v1", resource.title(), resource, namespaced, verbs, parts)


def granted(role, *types):
    """Return (group, resource) → verbs of one of the two ClusterRoles."""
    (found,) = [each for each in cluster_roles(types, "here") if each["metadata"]["name"] == f"kubeferry-{role}-here"]
    rights = {}
    for rule in found["rules"]:
        for resource in rule["resources"]:
            rights.setdefault((rule["apiGroups"][0], resource), []).extend(rule["verbs"])
    return rights


def test_a_custom_resource_is_listed_by_a_backup_and_written_by_a_restore():
    group, widgets = "example.com", kind("example.com", "widgets")
    assert granted("backup", widgets)[group, "widgets"] == ["list"]
    assert granted("restore", widgets)[group, "widgets"] == WRITES
    assert granted("restore", widgets)[group, "widgets/finalizers"] == ["update"]
    assert granted("restore", widgets)[group, "widgets/status"] == ["patch"]
    assert {each for each in granted("restore", widgets) if each[0] == group} == {
        (group, "widgets"), (group, "widgets/finalizers"), (group, "widgets/status"),
    }  # fmt: skip


def test_of_cluster_wide_kinds_only_those_that_a_backup_takes_are_written():
    """Of custom resources all: an operator in a namespace may have some."""
    issuers = kind("cert-manager.io", "clusterissuers", namespaced=False)
    volumes = kind("", "persistentvolumes", namespaced=False)
    schemas = kind("flowcontrol.apiserver.k8s.io", "flowschemas", namespaced=False)
    assert granted("backup", issuers)["cert-manager.io", "clusterissuers"] == ["list"]
    assert granted("restore", issuers)["cert-manager.io", "clusterissuers"] == WRITES
    assert ("flowcontrol.apiserver.k8s.io", "flowschemas") not in granted("backup", schemas)
    assert granted("restore", schemas)["flowcontrol.apiserver.k8s.io", "flowschemas"] == ["get", "list", "watch"]
    assert granted("restore", volumes)["", "persistentvolumes"] == WRITES


@pytest.mark.parametrize("role", ["backup", "restore"])
def test_what_is_never_backed_up_is_not_granted(role):
    reviews = kind("authorization.k8s.io", "subjectaccessreviews", verbs=frozenset({"create"}))
    assert set(granted(role, reviews, kind("velero.io", "backups"), kind("", "bindings"))) <= {
        ("", "namespaces"), ("kubeferry.io", "bundles"), ("kubeferry.io", "bundles/status"),
        ("rbac.authorization.k8s.io", "clusterroles"), ("rbac.authorization.k8s.io", "roles"),
    }  # fmt: skip


def test_a_route_keeps_its_host_name():
    routes = kind("route.openshift.io", "routes")
    assert granted("restore", routes)["route.openshift.io", "routes/custom-host"] == ["create", "update"]
    assert ("route.openshift.io", "routes/custom-host") not in granted("backup", routes)


def test_a_restore_may_restore_roles_that_grant_more_than_it_has():
    rbac = "rbac.authorization.k8s.io"
    for resource in ("roles", "clusterroles"):
        assert {"bind", "escalate"} <= set(granted("restore", kind(rbac, resource, namespaced=False))[rbac, resource])
        assert not {"bind", "escalate"} & set(granted("backup", kind(rbac, resource)).get((rbac, resource), ()))
