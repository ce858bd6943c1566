"""An edge that is given up is either harmless, patched later, or reported before anything is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.graph.order import Edge, Strength, Via
from kubeferry.tasks.core.kube.immutable_fields import ALL_BUT, FROZEN, FieldRules, freezes, required_or_frozen
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.plan.late_values import (
    Means,
    deferral,
    placeholder,
    pointer_of,
    steps_of,
    strength_of,
    without_fields,
)

WEB, CONF = Ref("apps", "Deployment", "shop", "web"), Ref("", "ConfigMap", "shop", "conf")


def made(group, kind, **body):
    version = f"{group}/v1" if group else "v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "it", "namespace": "shop"}, **body}


def how(obj, strength, why, via=Via.FIELD, schema=None):
    return deferral(obj, Edge(Ref.of(obj), WEB, strength, why, via), schema).how


def binding(group, kind, pointer, **body):
    return how(made(group, kind, **body), Strength.BINDING, pointer)


@pytest.mark.parametrize(
    ("strength", "why", "via", "expected"),
    [
        (Strength.REFERENCE, "spec.x", Via.FIELD, Means.NOTHING),
        (Strength.OWNER, "metadata.ownerReferences", Via.OWNER, Means.RELINK),
        (Strength.OWNER, "metadata.annotations", Via.FIELD, Means.IMPOSSIBLE),
        (Strength.START, "spec.template.spec.serviceAccountName", Via.FIELD, Means.NOTHING),
        (Strength.EXPLICIT, "kubeferry.io/depends-on", Via.ANNOTATION, Means.UNFOLLOWED),
    ],
)
def test_what_an_edge_takes(strength, why, via, expected):
    assert how(made("", "ConfigMap"), strength, why, via) is expected


@pytest.mark.parametrize(
    ("group", "kind", "pointer", "expected"),
    [
        ("", "ConfigMap", "/data/url", Means.LEAVE_OUT),
        ("", "Secret", "/data/url", Means.LEAVE_OUT),
        ("apps", "Deployment", "/metadata/annotations/a~1b", Means.LEAVE_OUT),
        ("apps", "Deployment", "/metadata/labels/a", Means.LEAVE_OUT),
        ("apps", "Deployment", "/spec/template/spec/containers/0/env/0/value", Means.PLACEHOLDER),
        ("apps", "Deployment", "/spec/selector/matchLabels/ip", Means.IMPOSSIBLE),
        ("apps", "Deployment", "/spec/selectors", Means.PLACEHOLDER),
        ("", "Endpoints", "/subsets/0/addresses/0/ip", Means.LEAVE_OUT),
        ("discovery.k8s.io", "EndpointSlice", "/endpoints/0/addresses/0", Means.LEAVE_OUT),
        ("networking.k8s.io", "NetworkPolicy", "/spec/egress/1/to/0/ipBlock/cidr", Means.LEAVE_OUT),
        ("networking.k8s.io", "NetworkPolicy", "/spec/ingress/0/from/0/ipBlock/except/0", Means.LEAVE_OUT),
        ("", "Service", "/spec/loadBalancerSourceRanges/0", Means.UNSAFE),
        ("", "Service", "/spec/externalName", Means.UNSAFE),
        ("apps", "Deployment", "/spec/template/spec/hostAliases/0/ip", Means.LEAVE_OUT),
        ("apps", "Deployment", "/spec/template/spec/dnsConfig/nameservers/0", Means.UNSAFE),
        ("batch", "CronJob", "/spec/jobTemplate/spec/template/spec/hostAliases/1/ip", Means.LEAVE_OUT),
        ("apps", "DaemonSet", "/spec/template/spec/containers/0/livenessProbe/httpGet/host", Means.LEAVE_OUT),
        ("apps", "DaemonSet", "/spec/template/spec/containers/0/ports/0/hostIP", Means.UNSAFE),
        (
            "apiextensions.k8s.io",
            "CustomResourceDefinition",
            "/spec/conversion/webhook/clientConfig/url",
            Means.LEAVE_OUT,
        ),
        ("example.com", "NetworkPolicy", "/spec/egress/1/to/0/ipBlock/cidr", Means.PLACEHOLDER),
        ("", "Pod", "/spec/containers/0/env/0/value", Means.IMPOSSIBLE),
        ("", "Pod", "/spec/containers/0/image", Means.PLACEHOLDER),
        ("", "Pod", "/metadata/annotations/ip", Means.LEAVE_OUT),
        ("batch", "Job", "/spec/template/spec/containers/0/args/0", Means.IMPOSSIBLE),
        ("batch", "CronJob", "/spec/jobTemplate/spec/template/spec/containers/0/args/0", Means.PLACEHOLDER),
        ("apps", "StatefulSet", "/spec/template/spec/containers/0/args/0", Means.PLACEHOLDER),
        ("apps", "StatefulSet", "/spec/volumeClaimTemplates/0/spec/volumeName", Means.IMPOSSIBLE),
        ("example.com", "Thing", "/spec/host", Means.PLACEHOLDER),
        ("example.com", "Thing", "/data/host", Means.PLACEHOLDER),
    ],
)
def test_what_a_binding_takes(group, kind, pointer, expected):
    assert binding(group, kind, pointer) is expected


def test_immutable_data_is_a_problem_and_immutable_says_nothing_of_metadata():
    assert binding("", "ConfigMap", "/data/url", immutable=True) is Means.IMPOSSIBLE
    assert binding("", "Secret", "/data/url", immutable=False) is Means.LEAVE_OUT
    assert binding("", "Secret", "/metadata/annotations/x", immutable=True) is Means.LEAVE_OUT


@pytest.mark.parametrize(("kind", "part"), [(kind, part) for kind, parts in FROZEN.items() for part in parts])
def test_each_row_of_what_stays(kind, part):
    assert freezes(made(*kind), part.split("."))
    assert freezes(made(*kind), [*part.split("."), "below"])
    assert not freezes(made(*kind), [*part.split(".")[:-1], part.split(".")[-1] + "s!"])
    assert not freezes(made(f"not.{kind[0]}", kind[1]), part.split("."))


@pytest.mark.parametrize(("kind", "row"), ALL_BUT.items())
def test_each_row_of_what_stays_but_for(kind, row):
    part, free = row
    assert freezes(made(*kind), [part, "anything", "0"])
    assert not freezes(made(*kind), ["metadata", "labels", part])
    assert not any(freezes(made(*kind), [part, each, "below"]) for each in free)


def schema(**rules):
    """`rules` are the validations at: root, spec, host."""
    validations = {name: {"x-kubernetes-validations": [{"rule": rule}]} for name, rule in rules.items()}
    host = {"type": "string", **validations.get("host", {})}
    spec = {
        "type": "object",
        "properties": {"host": host, "hosts": {"type": "array", "items": host}},
        **validations.get("spec", {}),
    }
    return {"type": "object", "properties": {"spec": spec}, **validations.get("root", {})}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, Means.PLACEHOLDER),
        ({"host": "self == oldSelf"}, Means.LEAVE_OUT),
        ({"host": "oldSelf==self"}, Means.LEAVE_OUT),
        ({"spec": "self == oldSelf"}, Means.IMPOSSIBLE),
        ({"spec": "self.host == oldSelf.host"}, Means.IMPOSSIBLE),
        ({"root": "self.spec.host == oldSelf.spec.host"}, Means.IMPOSSIBLE),
        ({"spec": "!has(oldSelf.host) || self.host == oldSelf.host"}, Means.LEAVE_OUT),
        ({"spec": "self.hosts == oldSelf.hosts"}, Means.PLACEHOLDER),
        ({"spec": "self.host == oldSelf.hosts"}, Means.PLACEHOLDER),
        ({"spec": "self.host != oldSelf.host"}, Means.PLACEHOLDER),
        ({"spec": "myself == oldSelf"}, Means.PLACEHOLDER),
        ({"host": "self.size() >= oldSelf.size()"}, Means.PLACEHOLDER),
    ],
)
def test_a_crd_says_what_cannot_be_changed(rules, expected):
    assert how(made("example.com", "Thing"), Strength.BINDING, "/spec/host", schema=schema(**rules)) is expected


def test_a_frozen_field_that_is_required_is_a_problem():
    with_rule = schema(host="self == oldSelf")
    with_rule["properties"]["spec"]["required"] = ["host"]
    assert how(made("example.com", "Thing"), Strength.BINDING, "/spec/host", schema=with_rule) is Means.IMPOSSIBLE
    assert how(made("example.com", "Thing"), Strength.BINDING, "/spec/hosts/0", schema=with_rule) is Means.IMPOSSIBLE


@pytest.mark.parametrize(
    "odd", [{}, {"properties": []}, {"properties": {"spec": True}}, {"x-kubernetes-validations": 7}]
)
def test_a_schema_that_says_nothing(odd):
    assert required_or_frozen(odd, ["spec", "host"]) == FieldRules(required=False, frozen=False)


@pytest.mark.parametrize(
    ("value", "stand_in"),
    [
        ("10.0.0.1", "192.0.2.1"),
        ("fd00::1", "2001:db8::1"),
        ("0b9c3f1e-0d3a-4a5e-9a57-3f4d9b8e1c11", "00000000-0000-4000-8000-000000000000"),
        ("10-0-0-1", "192-0-2-1"),
        ("lb.example.com", "unresolved.invalid"),
    ],
)
def test_a_placeholder_has_the_form_of_the_value(value, stand_in):
    assert placeholder(value) == stand_in


def test_fields_are_left_out_and_the_input_survives():
    obj = {"data": {"a": "1", "b/c": "2"}, "list": [{"name": "x", "v": 1}, "s"], "keep": {}}
    assert without_fields(obj, ["/data/b~1c", "/list/0/v", "/list/1", "/gone/x", "/list/7/v", "/data/a/b"]) == {
        "data": {"a": "1"},
        "list": [{"name": "x"}, "s"],
        "keep": {},
    }
    assert obj["data"] == {"a": "1", "b/c": "2"}
    assert without_fields({"data": {"a": 1}}, ["/data/a"]) == {"data": {}}


TEXT = st.text(st.sampled_from("ab/~0 "), min_size=1, max_size=4)


@given(st.lists(TEXT, min_size=1))
def test_pointers_there_and_back(steps):
    assert steps_of(pointer_of(steps)) == steps


def test_the_line_of_a_plan():
    found = deferral(made("", "ConfigMap"), Edge(CONF, WEB, Strength.BINDING, "/data/url"))
    assert str(found) == (
        "ConfigMap shop/conf ← Deployment.apps shop/web (/data/url): "
        "created without this key, which is added when its value is known"
    )
    assert (found.pointer, found.is_problem) == ("/data/url", False)
    assert deferral(made("", "Pod"), Edge(CONF, WEB, Strength.BINDING, "/spec/hostname")).is_problem


@pytest.mark.parametrize(
    ("group", "kind", "pointer", "expected"),
    [
        ("", "ConfigMap", "/data/url", Strength.LATER),
        ("apps", "Deployment", "/metadata/annotations/peer", Strength.LATER),
        ("", "Service", "/spec/externalIPs/0", Strength.FIXED),
        ("", "Service", "/spec/loadBalancerSourceRanges/0", Strength.FIXED),
        ("networking.k8s.io", "NetworkPolicy", "/spec/egress/0/to/0/ipBlock/cidr", Strength.FIXED),
        ("apps", "Deployment", "/spec/template/spec/hostAliases/0/ip", Strength.FIXED),
        ("networking.k8s.io", "Ingress", "/spec/rules/0/host", Strength.BINDING),
        ("", "Pod", "/spec/containers/0/env/0/value", Strength.FIXED),
        ("apps", "Deployment", "/spec/template/spec/containers/0/env/0/value", Strength.FIXED),
        ("apps", "Deployment", "/spec/template/metadata/annotations/peer", Strength.FIXED),
        ("apps", "Deployment", "/spec/templates/spec", Strength.BINDING),
    ],
)
def test_a_value_is_waited_for_as_strongly_as_it_is_hard_to_add_later(group, kind, pointer, expected):
    assert strength_of(made(group, kind), pointer) is expected
