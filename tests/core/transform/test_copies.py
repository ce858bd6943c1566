"""The copy of a webhook configuration judges what is in the clone's namespaces, and nothing else."""

import pytest

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.transform.rename.rewrite import rename

GROUP = "admissionregistration.k8s.io"
NAME = "kubernetes.io/metadata.name"
ONLY = {"key": NAME, "operator": "In", "values": ["copy"]}


def hook(rules=(), selector=None, kind="ValidatingWebhookConfiguration"):
    webhook = {"name": "h.shop.example", "clientConfig": {"service": {"namespace": "shop", "name": "h"}}}
    webhook |= {"rules": list(rules)} if rules else {}
    webhook |= {"namespaceSelector": selector} if selector is not None else {}
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": "hook"}, "webhooks": [webhook]}


def rule(*resources, scope=None):
    found = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": list(resources)}
    return found | ({"scope": scope} if scope else {})


def copied(**what):
    return rename(hook(**what), {"shop": "copy"}).obj


@pytest.mark.parametrize("kind", ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"])
def test_it_has_a_name_of_its_own_and_calls_the_clone(kind):
    after = copied(kind=kind)
    assert after["metadata"]["name"] == "hook-copy"
    assert after["webhooks"][0]["clientConfig"]["service"] == {"namespace": "copy", "name": "h"}


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        (None, {"matchExpressions": [ONLY]}),
        ({}, {"matchExpressions": [ONLY]}),
        ({"matchLabels": {"a": "b"}}, {"matchLabels": {"a": "b"}, "matchExpressions": [ONLY]}),
        ({"matchLabels": {NAME: "shop"}}, {"matchLabels": {NAME: "copy"}}),
        (
            {"matchExpressions": [{"key": NAME, "operator": "In", "values": ["shop"]}]},
            {"matchExpressions": [{"key": NAME, "operator": "In", "values": ["copy"]}]},
        ),
        (
            {"matchExpressions": [{"key": NAME, "operator": "In", "values": ["shop", "bank"]}]},
            {"matchExpressions": [{"key": NAME, "operator": "In", "values": ["copy", "bank"]}, ONLY]},
        ),
        (
            {"matchExpressions": [{"key": NAME, "operator": "NotIn", "values": ["kube-system"]}]},
            {"matchExpressions": [{"key": NAME, "operator": "NotIn", "values": ["kube-system"]}, ONLY]},
        ),
    ],
)
def test_it_selects_the_clones_namespaces_among_those_of_the_original(selector, wanted):
    assert copied(selector=selector)["webhooks"][0]["namespaceSelector"] == wanted


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ([rule("gadgets")], [rule("gadgets", scope="Namespaced")]),
        ([rule("*", scope="*")], [rule("*", scope="Namespaced")]),
        ([rule("pods", scope="Namespaced")], [rule("pods", scope="Namespaced")]),
        ([rule("namespaces", scope="Cluster")], [rule("namespaces", scope="Cluster")]),
        ([rule("namespaces", "pods")], [rule("namespaces"), rule("pods", scope="Namespaced")]),
        ([rule("nodes", scope="Cluster"), rule("pods")], [rule("pods", scope="Namespaced")]),
    ],
)
def test_it_judges_nothing_cluster_wide_but_the_namespaces_themselves(rules, wanted):
    assert copied(rules=rules)["webhooks"][0]["rules"] == wanted


def test_what_judged_only_cluster_wide_objects_is_not_in_it():
    assert copied(rules=[rule("nodes", scope="Cluster")])["webhooks"] == []


def test_one_that_calls_others_stays_as_it_is():
    before = hook()
    assert rename(before, {"bank": "copy"}).obj is before


def test_a_binding_elsewhere_and_its_role_have_names_of_their_own():
    group = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "leader", "namespace": "kube-system"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "leader"},
        "subjects": [{"kind": "ServiceAccount", "name": "op", "namespace": "shop"}],
    }
    copies = {Ref(group, kind, "kube-system", "leader"): "leader-copy" for kind in ("Role", "RoleBinding")}
    after = rename(binding, {"shop": "copy"}, copies=copies).obj
    assert after["metadata"] == {"name": "leader-copy", "namespace": "kube-system"}
    assert after["roleRef"]["name"] == "leader-copy"
    assert after["subjects"][0]["namespace"] == "copy"
