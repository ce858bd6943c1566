"""What controllers make in every namespace, by name, and that only they are taken for it."""

import pytest

from kubeferry.tasks.core.kube.namespace_defaults import namespace_default
from kubeferry.tasks.core.kube.objects import Ref


@pytest.mark.parametrize(
    ("group", "kind", "name"),
    [
        ("", "ServiceAccount", "default"),
        ("", "ConfigMap", "kube-root-ca.crt"),
        ("", "ConfigMap", "openshift-service-ca.crt"),
        ("", "ConfigMap", "istio-ca-root-cert"),
        ("coordination.k8s.io", "Lease", "kubeferry-restore"),
    ],
)
def test_what_is_made_in_every_namespace_is_known(group, kind, name):
    found = namespace_default(Ref(group, kind, "shop", name))
    assert found
    # People give the account pull secrets: a backup holds it.
    assert found.may_hold_user_content == (kind == "ServiceAccount")


@pytest.mark.parametrize(
    ("group", "kind", "name"),
    [
        ("", "ServiceAccount", "builder"),
        ("", "Secret", "kube-root-ca.crt"),
        ("example.com", "ConfigMap", "kube-root-ca.crt"),
        ("", "ConfigMap", "root-ca.crt"),
        ("", "Lease", "kubeferry-restore"),
        ("coordination.k8s.io", "Lease", "leader"),
    ],
)
def test_what_has_a_part_of_such_a_name_is_somebodys(group, kind, name):
    assert namespace_default(Ref(group, kind, "shop", name)) is None
