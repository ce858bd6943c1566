"""Where to look for who uses a cluster-wide object: every kind whose fields may name one, and no other."""

import pytest

from kubeferry.tasks.core.needs.references.fields import POD_SPEC_AT
from kubeferry.tasks.core.needs.references.find import kinds_naming

WORKLOADS = set(POD_SPEC_AT)


@pytest.mark.parametrize(
    ("target", "among", "not_among"),
    [
        (("scheduling.k8s.io", "PriorityClass"), WORKLOADS, {("", "Secret")}),
        (
            ("storage.k8s.io", "StorageClass"),
            {("", "PersistentVolumeClaim"), ("apps", "StatefulSet")},
            {("", "Secret")},
        ),
        (("networking.k8s.io", "IngressClass"), {("networking.k8s.io", "Ingress")}, WORKLOADS),
        (("rbac.authorization.k8s.io", "ClusterRole"), {("rbac.authorization.k8s.io", "RoleBinding")}, WORKLOADS),
    ],
)
def test_kinds_that_may_name_a_kind(target, among, not_among):
    found = kinds_naming([target])
    assert among <= found
    assert not found & not_among


def test_nothing_names_nothing():
    assert kinds_naming([]) == frozenset()
