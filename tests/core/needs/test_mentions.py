"""Who names what a backup does not hold: one loss for each object, whoever names it and how often."""

import pytest

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.references.mentions import Mentions

SECRET = ("", "Secret")
KEY = Ref("", "Secret", "vault", "key")


def user(name):
    return Ref("apps", "Deployment", "shop", name)


def noted(*notes):
    found = Mentions({"shop"}, {SECRET, ("", "ServiceAccount"), ("", "ConfigMap"), ("", "Service")})
    for each in notes:
        found.note(*each)
    return found


def test_the_first_user_is_named_and_the_others_are_counted():
    notes = [(user("a"), KEY, "spec.x"), (user("a"), KEY, "spec.y"), (user("b"), KEY, "spec.x")]
    (loss,) = noted(*notes, (user("b"), KEY, "spec.y"), (user("c"), KEY, "spec.x")).losses()
    assert (loss.object, loss.code, loss.path) == ("Secret vault/key", "not-carried", "")
    assert loss.why.endswith("of another namespace; Deployment.apps shop/a names it (spec.x), and 2 more do")
    assert not loss.weighty


@pytest.mark.parametrize(
    "target",
    [
        Ref("", "Secret", "shop", "key"),
        Ref("rbac.authorization.k8s.io", "User", "vault", "jane"),
        Ref("storage.k8s.io", "StorageClass", "", "fast"),
        Ref("", "ServiceAccount", "vault", "default"),
        Ref("", "ConfigMap", "vault", "kube-root-ca.crt"),
        Ref("", "Service", "default", "kubernetes"),
    ],
)
def test_what_is_inside_no_object_or_made_by_every_cluster_is_not_listed(target):
    found = noted((user("a"), target, "spec.x"))
    assert list(found.losses()) == []


def test_what_comes_from_another_namespace_is_not_listed():
    assert list(noted((user("a"), KEY, "spec.x")).losses({KEY})) == []
