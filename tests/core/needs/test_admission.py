"""Which webhooks and policies of a cluster judge new objects of a type in a namespace."""

import pytest

from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.core.needs.admission import judges_of, labels_for

SECRETS = ResourceType("", "v1", "Secret", "secrets", namespaced=True)
PODS = ResourceType("", "v1", "Pod", "pods", namespaced=True)
BOXES = ResourceType("example.com", "v1", "Box", "boxes", namespaced=True)
NAMESPACES = ResourceType("", "v1", "Namespace", "namespaces", namespaced=False)
SHOP = {"kubernetes.io/metadata.name": "shop"}


def rule(group="", resource="secrets", operation="CREATE"):
    return {"apiGroups": [group], "apiVersions": ["v1"], "operations": [operation], "resources": [resource]}


def webhooks(*rules, kind="ValidatingWebhookConfiguration", **more):
    return {"kind": kind, "metadata": {"name": "c"}, "webhooks": [{"name": "w.example.com", "rules": [*rules]} | more]}


def policy(*rules, bound=True, **chosen):
    spec = {"matchConstraints": {"resourceRules": [*rules]} | chosen, "validations": [{"expression": "true"}]}
    made = [{"kind": "ValidatingAdmissionPolicy", "metadata": {"name": "p"}, "spec": spec}]
    binding = {"kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "b"}, "spec": {"policyName": "p"}}
    return made + ([binding] if bound else [])


def judged(configurations, kind, labels=SHOP):
    return [each.name for each in judges_of(configurations) if each.judges(kind, labels)]


@pytest.mark.parametrize(
    ("given", "kind", "wanted"),
    [
        (rule(), SECRETS, True),
        (rule(), PODS, False),
        (rule("*", "*"), BOXES, True),
        (rule("*", "*/*"), BOXES, True),
        (rule("example.com", "*"), BOXES, True),
        (rule("example.com", "boxes/status"), BOXES, False),
        (rule(operation="DELETE"), SECRETS, False),
        (rule(operation="*"), SECRETS, True),
        (rule("apps", "secrets"), SECRETS, False),
    ],
)
def test_the_rules_of_webhooks_and_policies(given, kind, wanted):
    for each in ([webhooks(given)], [webhooks(given, kind="MutatingWebhookConfiguration")], policy(given)):
        assert bool(judged(each, kind)) is wanted


def test_namespaces_are_chosen_by_labels_and_cluster_wide_objects_always():
    only = {"namespaceSelector": {"matchLabels": SHOP}}
    given = [webhooks(rule(), rule("", "namespaces"), **only), *policy(rule(), **only)]
    assert judged(given, SECRETS) == ["w.example.com", "p"]
    assert judged(given, SECRETS, {"kubernetes.io/metadata.name": "bank"}) == []
    assert judged(given, NAMESPACES, None) == ["w.example.com"]
    assert labels_for(NAMESPACES, SHOP) is None
    assert labels_for(SECRETS, SHOP) == SHOP


def test_a_policy_without_a_binding_judges_nothing():
    assert judged(policy(rule(), bound=False), SECRETS) == []


@pytest.mark.parametrize(
    "more", [{"objectSelector": {"matchLabels": {"a": "b"}}}, {"matchConditions": [{"name": "x"}]}]
)
def test_only_a_webhook_without_conditions_judges_all_of_a_kind(more):
    assert [each.all_of_them for each in judges_of([webhooks(rule()), webhooks(rule(), **more)])] == [True, False]
