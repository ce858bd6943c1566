"""What the API server's refusals say; each text was answered by a kube-apiserver 1.36."""

import pytest

from kubeferry.tasks.core.kube.admission_answers import (
    Missing,
    denied_by,
    is_no_refusal,
    is_of_pod_alone,
    limited_by,
    missing,
    quota_of,
    shown,
)

ACCOUNT = 'pods "x-" is forbidden: error looking up service account shop/runner: serviceaccount "runner" not found'
CLASS = 'pods "x-" is forbidden: no PriorityClass with name gold was found'
RUNTIME = 'pods "x-" is forbidden: pod rejected: RuntimeClass "box" not found'
ROLE = 'rolebindings.rbac.authorization.k8s.io "reader" not found'
POLICY = (
    "pods \"x-jz7j4\" is forbidden: ValidatingAdmissionPolicy 'images' with binding 'all' denied request: "
    'serviceaccount "x" not found'
)
WEBHOOK = 'admission webhook "guard.example.com" denied the request: serviceaccount "x" not found'
EXCEEDED = (
    'services "web" is forbidden: exceeded quota: q, requested: services=1, used: services=1, limited: services=1'
)
AMOUNT = 'pods "x-k5fcv" is forbidden: failed quota: q: must specify requests.cpu for: a'
FIELD = 'Pod "x-abcde" is invalid: spec.containers[0].image: Required value'
SECURITY = 'pods "x-stbgn" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'


@pytest.mark.parametrize(
    ("text", "kind", "resource", "name"),
    [
        (ACCOUNT, "ServiceAccount", "serviceaccounts", "runner"),
        (CLASS, "PriorityClass", "priorityclasses", "gold"),
        (RUNTIME, "RuntimeClass", "runtimeclasses", "box"),
        (ROLE, "Role", "roles", "reader"),
        (ROLE, "ClusterRole", "clusterroles", "reader"),
        ('namespaces "shop" not found', "Namespace", "namespaces", "shop"),
        ('roles.rbac.authorization.k8s.io "reader" not found', "Role", "roles", "reader"),
    ],
)
def test_what_is_missing(text, kind, resource, name):
    found = missing(text)
    assert found.name == name
    assert found.is_a(kind, resource)
    assert not found.is_a("Secret", "secrets")


@pytest.mark.parametrize("text", [POLICY, WEBHOOK, EXCEEDED, AMOUNT, FIELD, SECURITY])
def test_the_words_of_webhooks_policies_and_other_refusals_name_nothing_missing(text):
    assert missing(text) is None


def test_who_denied_an_object():
    assert denied_by(POLICY) == ("", "images")
    assert denied_by(WEBHOOK) == ("guard.example.com", "")
    assert denied_by(SECURITY) == ("", "")


def test_quotas():
    assert [quota_of(each) for each in (EXCEEDED, AMOUNT, SECURITY)] == ["q", "", ""]
    assert [limited_by(each) for each in (EXCEEDED, AMOUNT, SECURITY)] == ["q", "q", ""]


def test_answers_about_the_request_are_no_refusals():
    right = 'pods is forbidden: User "ci" cannot create resource "pods" in API group "" in the namespace "shop"'
    assert is_no_refusal(right)
    assert is_no_refusal('admission webhook "guard.example.com" does not support dry run')
    assert not any(map(is_no_refusal, (SECURITY, POLICY, WEBHOOK, EXCEEDED)))
    assert [is_of_pod_alone(each) for each in (FIELD, SECURITY, POLICY)] == [True, False, False]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (SECURITY, 'violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'),
        (
            'Service "web" is invalid: spec.ipFamilyPolicy: Invalid value: "RequireDualStack": no dual-stack services',
            'Service "web" is invalid: spec.ipFamilyPolicy: Invalid value: no dual-stack services',
        ),
        ("spec.size: Invalid value: -1: must be 0 or more", "spec.size: Invalid value: must be 0 or more"),
        ('spec: Invalid value: {"key":"a: b"}: no, it is not', "spec: Invalid value: no, it is not"),
        (r'spec.a: Invalid value: "a \"marked\" word: x": no', "spec.a: Invalid value: no"),
        (
            '[spec.a: Unsupported value: "marked": supported values: "x", spec.b: Duplicate value: "marked"]',
            '[spec.a: Unsupported value: supported values: "x", spec.b: Duplicate value]',
        ),
    ],
)
def test_values_of_fields_are_not_shown(text, wanted):
    assert shown(text) == wanted
    assert "marked" not in shown(text)


def test_a_kind_is_meant_by_its_name_and_by_its_resource():
    assert Missing("roles", "a").is_a("Role", "roles")
    assert not Missing("roles", "a").is_a("ClusterRole", "clusterroles")
