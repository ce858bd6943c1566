"""What belongs to namespaces though it stands outside of them, by which sign, and what is only listed."""

import pytest

from kubeferry.tasks.core.formats.target import bundle_guard
from kubeferry.tasks.core.needs.cluster_scoped import Needs
from kubeferry.tasks.core.needs.outside import outside

RBAC = "rbac.authorization.k8s.io"
ADMISSION = "admissionregistration.k8s.io"
NAME = "kubernetes.io/metadata.name"


def obj(group, kind, name, space="", *, labels=None, notes=None, **more):
    meta = {"name": name} | ({"namespace": space} if space else {})
    meta |= ({"labels": labels} if labels else {}) | ({"annotations": notes} if notes else {})
    return {"apiVersion": f"{group}/v1" if group else "v1", "kind": kind, "metadata": meta, **more}


def definition(plural="gadgets", group="acme.example", scope="Namespaced", **more):
    names = {"plural": plural, "kind": plural[:-1].title()}
    spec = {"group": group, "scope": scope, "names": names, "versions": [{"name": "v1", "served": True}]}
    conversion = more.pop("conversion", None)
    spec |= {"conversion": conversion} if conversion else {}
    return obj("apiextensions.k8s.io", "CustomResourceDefinition", f"{plural}.{group}", spec=spec, **more)


def role(*rules, name="op", space="", **more):
    kind = "Role" if space else "ClusterRole"
    found = [{"apiGroups": [g], "resources": list(r), "verbs": list(v)} for g, r, v in rules]
    return obj(RBAC, kind, name, space, rules=found, **more)


def account(space, name="op"):
    return {"kind": "ServiceAccount", "namespace": space, "name": name}


def binding(*subjects, name="op", space="", to=None, **more):
    to = to or {"kind": "ClusterRole", "name": "op"}
    kind = "RoleBinding" if space else "ClusterRoleBinding"
    return obj(RBAC, kind, name, space, subjects=list(subjects), roleRef={"apiGroup": RBAC, **to}, **more)


def hook(space="acme", *, rules=(), selector=None, name="hook"):
    webhook = {"clientConfig": {"service": {"namespace": space, "name": "h"}}, "rules": list(rules)}
    webhook |= {"namespaceSelector": selector} if selector else {}
    return obj(ADMISSION, "ValidatingWebhookConfiguration", name, webhooks=[webhook])


def found(*candidates, inside=(), namespaces=("acme",), kinds=()):
    needs = Needs(frozenset(namespaces), frozenset(kinds), frozenset())
    result = outside(candidates, needs, inside)
    carried = {f"{ref.kind} {ref.path}": each.code for ref, each in result.carried.items()}
    return carried, {each.object.partition(".")[0] + " " + each.object.rpartition(" ")[2] for each in result.losses}


WRITE = ("get", "list", "update")


@pytest.mark.parametrize(
    "candidate",
    [
        hook(),
        obj(ADMISSION, "MutatingWebhookConfiguration", "hook", webhooks=hook()["webhooks"]),
        obj("apiregistration.k8s.io", "APIService", "v1.x", spec={"service": {"namespace": "acme", "name": "h"}}),
        definition(conversion={"webhook": {"clientConfig": {"service": {"namespace": "acme", "name": "h"}}}}),
    ],
    ids=lambda each: each["kind"],
)
def test_what_calls_a_service_of_the_namespace_comes(candidate):
    carried, told = found(candidate)
    assert list(carried.values()) == ["calls-service"]
    assert not told
    other, told = found(candidate, namespaces=["bank"])
    assert not other
    assert not told


@pytest.mark.parametrize(
    "subject",
    [
        account("acme"),
        {"kind": "User", "apiGroup": RBAC, "name": "system:serviceaccount:acme:op"},
        {"kind": "Group", "apiGroup": RBAC, "name": "system:serviceaccounts:acme"},
    ],
)
def test_a_binding_elsewhere_comes_with_its_role(subject):
    to = {"kind": "Role", "name": "leader"}
    there = binding(subject, space="kube-system", to=to), role(name="leader", space="kube-system")
    unbound = role(name="other", space="kube-system")
    carried, _ = found(*there, unbound)
    assert carried == {"RoleBinding kube-system/op": "gives-rights", "Role kube-system/leader": "named"}


def test_what_is_in_the_namespaces_themselves_is_not_from_outside():
    assert found(binding(account("acme"), space="acme"), role(name="x", space="acme")) == ({}, set())


def test_a_grant_and_what_names_an_object_of_the_namespace_comes():
    grant = obj("gateway.networking.k8s.io", "ReferenceGrant", "g", "bank", spec={"from": [{"namespace": "acme"}]})
    other = obj("gateway.networking.k8s.io", "ReferenceGrant", "o", "bank", spec={"from": [{"namespace": "x"}]})
    spec = {"policyName": "p", "paramRef": {"name": "limits", "namespace": "acme"}}
    policy = obj(ADMISSION, "ValidatingAdmissionPolicyBinding", "b", spec=spec)
    named = obj("networking.k8s.io", "IngressClass", "c", spec={"parameters": {"namespace": "acme", "name": "x"}})
    carried, _ = found(grant, other, policy, named, obj(ADMISSION, "ValidatingAdmissionPolicy", "p", spec={}))
    assert carried.pop("ValidatingAdmissionPolicy p") == "named"
    assert set(carried) == {"ReferenceGrant bank/g", "ValidatingAdmissionPolicyBinding b", "IngressClass c"}


@pytest.mark.parametrize(
    ("values", "comes", "is_told"), [(["acme"], True, False), (["acme", "bank"], False, True), (["bank"], False, False)]
)
def test_a_policy_that_selects_the_namespace_by_name_comes_if_it_selects_no_other(values, comes, is_told):
    selector = {"matchExpressions": [{"key": NAME, "operator": "In", "values": values}]}
    spec = {"matchResources": {"namespaceSelector": selector}}
    carried, told = found(obj(ADMISSION, "MutatingAdmissionPolicyBinding", "b", spec=spec))
    assert (bool(carried), bool(told)) == (comes, is_told)


def test_a_webhook_of_others_that_selects_the_namespace_is_listed():
    carried, told = found(hook("others", selector={"matchLabels": {NAME: "acme"}}))
    assert (carried, told) == ({}, {"ValidatingWebhookConfiguration hook"})


@pytest.mark.parametrize(
    "mark",
    [
        {"notes": {"meta.helm.sh/release-name": "op", "meta.helm.sh/release-namespace": "acme"}},
        {"labels": {"operators.coreos.com/gadget-operator.acme": ""}},
        {"labels": {"olm.owner": "op.v1", "olm.owner.namespace": "acme"}},
    ],
)
def test_what_a_release_in_the_namespace_brought_comes(mark):
    classes = [obj("storage.k8s.io", "StorageClass", "fast", **mark), obj(RBAC, "ClusterRole", "edit-gadgets", **mark)]
    carried, _ = found(definition(**mark), *classes)
    assert set(carried.values()) == {"release"}
    assert len(carried) == 3
    assert found(definition(**mark), *classes, namespaces=["bank"]) == ({}, set())


def test_the_policy_that_guards_bundles_is_made_by_each_restore_anew():
    assert found(bundle_guard.policy(), bundle_guard.binding("acme")) == ({}, set())


# --- definitions of an operator, by its rights

RULES_OF_A_CONTROLLER = [
    [("acme.example", ["gadgets", "gadgets/status"], WRITE)],
    [("acme.example", ["gadgets"], WRITE), ("acme.example", ["gadgets/finalizers"], ["update"])],
    [("acme.example", ["gadgets"], ["*"])],
    [("acme.example", ["*"], WRITE)],
]


@pytest.mark.parametrize("rules", RULES_OF_A_CONTROLLER)
@pytest.mark.parametrize("space", ["", "acme", "kube-system"])
def test_the_definitions_of_an_operator_come_by_its_rights(rules, space):
    """The role and its binding are cluster-wide, in the namespace, or in another one."""
    to = {"kind": "Role" if space else "ClusterRole", "name": "op"}
    rights = [role(*rules, space=space), binding(account("acme"), space=space, to=to)]
    inside = rights if space == "acme" else []
    carried, told = found(definition(), definition("others", "bank.example"), *rights, inside=inside)
    assert carried["CustomResourceDefinition gadgets.acme.example"] == "operator"
    assert "CustomResourceDefinition others.bank.example" not in carried
    assert not told


@pytest.mark.parametrize(
    "rules",
    [
        [("*", ["*"], ["*"])],
        [("acme.example", ["gadgets"], ["get", "list", "watch"])],
        [("*", ["gadgets"], ["*"])],
        [("bank.example", ["gadgets"], ["*"])],
        [("acme.example", ["widgets"], ["*"])],
    ],
)
def test_an_administrator_a_reader_and_the_operator_of_others_are_no_sign(rules):
    carried, told = found(definition(), role(*rules), binding(account("acme")))
    assert "CustomResourceDefinition gadgets.acme.example" not in carried
    assert not told


def test_rights_that_nobody_of_the_namespace_has_are_no_sign():
    rights = role(("acme.example", ["gadgets", "gadgets/status"], ["*"])), binding(account("bank"))
    assert found(definition(), *rights) == ({}, set())


def test_an_application_that_writes_objects_of_another_operator_does_not_bring_the_definition():
    """What it may write, accounts of another namespace may as well: listed, not carried."""
    writes = role(("acme.example", ["gadgets"], WRITE)), binding(account("acme"))
    others = (
        role(("acme.example", ["gadgets", "gadgets/status"], ["*"]), name="theirs"),
        binding(account("bank"), name="theirs", to={"kind": "ClusterRole", "name": "theirs"}),
    )
    carried, told = found(definition(), *writes, *others)
    assert "CustomResourceDefinition gadgets.acme.example" not in carried
    assert told == {"CustomResourceDefinition gadgets.acme.example"}


@pytest.mark.parametrize("label", ["app.kubernetes.io/instance", "app.kubernetes.io/part-of"])
def test_a_label_that_the_binding_has_as_well_makes_it_certain(label):
    marks = {label: "acme"}
    writes = role(("acme.example", ["gadgets"], WRITE)), binding(account("acme"), labels=marks)
    others = binding(account("bank"), name="theirs")
    carried, told = found(definition(labels=marks), *writes, others)
    assert carried["CustomResourceDefinition gadgets.acme.example"] == "operator"
    assert not told


def test_a_label_alone_is_no_sign():
    marks = {"app.kubernetes.io/instance": "acme"}
    assert found(definition(labels=marks), obj(RBAC, "ClusterRole", "x", labels=marks)) == ({}, set())


@pytest.mark.parametrize("resources", [["gadgets"], ["gadgets/status"], ["*"]])
def test_a_webhook_of_the_namespace_brings_what_it_judges_by_name(resources):
    rules = [{"apiGroups": ["acme.example"], "apiVersions": ["*"], "operations": ["*"], "resources": resources}]
    carried, _ = found(definition(), definition("others", "bank.example"), hook(rules=rules))
    assert set(carried) == {"CustomResourceDefinition gadgets.acme.example", "ValidatingWebhookConfiguration hook"}


def test_a_webhook_that_judges_everything_brings_no_definition():
    rules = [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}]
    assert set(found(definition(), hook(rules=rules))[0]) == {"ValidatingWebhookConfiguration hook"}


def test_the_editing_roles_of_the_operators_kinds_come_by_their_labels():
    marks = {"app.kubernetes.io/part-of": "acme"}
    rights = role(("acme.example", ["gadgets", "gadgets/status"], WRITE)), binding(account("acme"))
    edit = role(("acme.example", ["gadgets"], ["*"]), name="gadgets-edit", labels=marks)
    unlabelled = role(("acme.example", ["gadgets"], ["*"]), name="mine")
    other = role(("bank.example", ["others"], ["*"]), name="others-edit", labels=marks)
    carried, _ = found(definition(labels=marks), *rights, edit, unlabelled, other)
    assert "ClusterRole gadgets-edit" in carried
    assert "ClusterRole mine" not in carried
    assert "ClusterRole others-edit" not in carried


def test_the_cluster_wide_kinds_of_an_operator_are_known_and_those_in_use_alone_are_not():
    rights = role(("acme.example", ["gadgets", "gadgets/status"], WRITE)), binding(account("acme"))
    needs = Needs(frozenset({"acme"}), frozenset({("bank.example", "Other")}), frozenset())
    kinds = definition(scope="Cluster"), definition("others", "bank.example", scope="Cluster")
    assert outside([*kinds, *rights], needs).operated == {("acme.example", "gadgets"): ["acme"]}
