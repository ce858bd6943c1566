"""Every field that names a namespace is renamed and listed; a word that only looks like one stays."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.jsondoc.edit import EACH
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED
from kubeferry.tasks.core.needs.references.fields import RBAC
from kubeferry.tasks.core.transform.rename.rewrite import NAMESPACE_AT, SELECTOR_VALUES_AT, rename

BINDING = (RBAC, "ClusterRoleBinding")
LABEL = "kubernetes.io/metadata.name"


def placed(path, value):
    for step in reversed(path):
        value = [value] if step is EACH else {step: value}
    return value


def made(kind, body, *, namespace="shop", name="it"):
    group, what = kind
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": f"{group}/v1" if group else "v1", "kind": what, "metadata": meta, **body}


def subjects(*each, kind=BINDING, namespace=""):
    return made(kind, {"subjects": list(each)}, namespace=namespace, name="shop-admin")


def rewrites(renamed):
    return [(each.path, each.old, each.new) for each in renamed.rewrites]


ROWS = [(kind, path) for kind, paths in NAMESPACE_AT.items() for path in paths]
SELECTORS = [(kind, path) for kind, paths in SELECTOR_VALUES_AT.items() for path in paths]


@pytest.mark.parametrize(("kind", "path"), ROWS)
def test_each_row_is_renamed_and_listed(kind, path):
    before = made(kind, placed(path, "shop"))
    given_in = copy.deepcopy(before)
    after = rename(before, {"shop": "copy"})
    body = {key: after.obj[key] for key in placed(path, "")}
    if "service" in path and "webhooks" in path:  # it judges the copy alone: test_copies.py
        assert body["webhooks"][0].pop("namespaceSelector")
    assert body == placed(path, "copy")
    assert [(old, new) for _, old, new in rewrites(after)] == [("shop", "copy")]
    assert before == given_in


@pytest.mark.parametrize(("kind", "path"), ROWS)
@pytest.mark.parametrize("other", ["shop-2", "Shop", "", None, 7, ["shop"], {"shop": "shop"}])
def test_another_value_of_a_row_stays(kind, path, other):
    before = made(kind, placed(path, other), namespace="")
    assert rename(before, {"shop": "copy"}).obj is before


@pytest.mark.parametrize(("kind", "path"), SELECTORS)
def test_each_selector_on_the_name_of_namespaces_is_renamed(kind, path):
    before = made(kind, placed(path, {"key": LABEL, "operator": "In", "values": ["a", "shop", "b"]}), namespace="")
    after = rename(before, {"shop": "copy"})
    wanted = placed(path, {"key": LABEL, "operator": "In", "values": ["a", "copy", "b"]})
    assert {key: after.obj[key] for key in wanted} == wanted
    assert len(after.rewrites) == 1
    assert rewrites(after)[0][1:] == ("shop", "copy")


@pytest.mark.parametrize(("kind", "path"), SELECTORS)
@pytest.mark.parametrize(
    "requirement",
    [
        {"key": "team", "operator": "In", "values": ["shop"]},
        {"key": LABEL, "operator": "Exists"},
        {"key": LABEL, "operator": "In", "values": "shop"},
        {"key": LABEL, "operator": "In", "values": [["shop"], {"shop": 1}, None]},
        {"operator": "In", "values": ["shop"]},
        "shop",
    ],
)
def test_another_requirement_stays(kind, path, requirement):
    before = made(kind, placed(path, requirement), namespace="")
    assert rename(before, {"shop": "copy"}).obj is before


NEAR_MISSES = [
    made(("", "ConfigMap"), {"data": {"namespace": "shop", "shop": "shop"}}, namespace="bank", name="shop"),
    made(("apps", "Deployment"), {"spec": {"template": {"spec": {"serviceAccountName": "shop"}}}}, namespace="bank"),
    made((RBAC, "RoleBinding"), {"roleRef": {"kind": "Role", "name": "shop"}}, namespace="bank"),
    subjects({"kind": "User", "name": "shop"}, {"kind": "Group", "name": "shop"}),
    subjects({"kind": "Group", "name": "system:serviceaccounts"}, {"kind": "User", "name": "system:serviceaccount"}),
    subjects({"kind": "Group", "name": "system:serviceaccounts:shop-2"}, {"kind": "User", "name": 7}, "shop"),
    subjects({"kind": "User", "name": "system:serviceaccount:bank:shop"}),
    made(
        ("example.com", "RoleBinding"),
        {"subjects": [{"namespace": "shop", "name": "system:serviceaccounts:shop"}]},
        namespace="bank",
    ),
    made(
        ("networking.k8s.io", "NetworkPolicy"),
        {"spec": {"podSelector": {"matchLabels": {LABEL: "shop", "app": "shop"}}}},
        namespace="bank",
    ),
    made(
        ("", "PersistentVolume"),
        {"spec": {"claimRef": {"name": "shop", "namespace": "bank"}}},
        namespace="",
        name="shop",
    ),
    made(("", "Namespace"), {}, namespace="", name="bank"),
]


@pytest.mark.parametrize("obj", NEAR_MISSES)
def test_a_word_that_equals_the_namespaces_name_stays(obj):
    after = rename(obj, {"shop": "copy"})
    assert after.obj == obj
    assert after.rewrites == ()


def test_an_object_moves_with_its_namespace_and_keeps_its_content():
    config = made(("", "ConfigMap"), {"data": {"namespace": "shop"}}, name="shop")
    after = rename(config, {"shop": "copy"})
    assert after.obj == config | {"metadata": {"name": "shop", "namespace": "copy"}}
    assert after.rewrites == ()


def test_the_namespace_itself_gets_its_new_name():
    assert (
        rename(made(("", "Namespace"), {}, namespace="", name="shop"), {"shop": "copy"}).obj["metadata"]["name"]
        == "copy"
    )


@pytest.mark.parametrize("names", [{}, {"shop": "shop"}])
def test_no_new_name_changes_nothing(names):
    before = subjects({"kind": "ServiceAccount", "name": "a", "namespace": "shop"})
    assert rename(before, names).obj is before


@pytest.mark.parametrize(
    ("subject", "wanted"),
    [
        (
            {"kind": "ServiceAccount", "name": "web", "namespace": "shop"},
            {"kind": "ServiceAccount", "name": "web", "namespace": "copy"},
        ),
        (
            {"kind": "Group", "name": "system:serviceaccounts:shop"},
            {"kind": "Group", "name": "system:serviceaccounts:copy"},
        ),
        (
            {"kind": "User", "name": "system:serviceaccount:shop:shop"},
            {"kind": "User", "name": "system:serviceaccount:copy:shop"},
        ),
    ],
)
def test_a_cluster_role_binding_becomes_a_copy_of_another_name(subject, wanted):
    """Under its own name the target's binding would be met, and the clone would not get its rights."""
    after = rename(subjects(subject), {"shop": "copy"}).obj
    assert after["subjects"] == [wanted]
    assert after["metadata"]["name"] == "shop-admin-copy"


def test_the_copys_name_has_each_namespace_that_it_serves_and_no_other():
    accounts = [{"kind": "ServiceAccount", "name": "a", "namespace": each} for each in ("shop", "bank", "other")]
    users = [{"kind": "User", "name": "copy-2"}]
    after = rename(subjects(*accounts, *users), {"shop": "copy", "bank": "vault", "x": "copy-2"}).obj
    assert after["metadata"]["name"] == "shop-admin-copy-vault"


def test_a_role_binding_keeps_its_name():
    account = {"kind": "ServiceAccount", "name": "a", "namespace": "shop"}
    after = rename(subjects(account, kind=(RBAC, "RoleBinding"), namespace="bank"), {"shop": "copy"}).obj
    assert after["metadata"] == {"name": "shop-admin", "namespace": "bank"}
    assert after["subjects"][0]["namespace"] == "copy"


def test_two_namespaces_may_swap_their_names():
    accounts = [{"kind": "ServiceAccount", "name": "x", "namespace": each} for each in "ab"]
    after = rename(subjects(*accounts, kind=(RBAC, "RoleBinding"), namespace="a"), {"a": "b", "b": "a"})
    assert [each["namespace"] for each in after.obj["subjects"]] == ["b", "a"]
    assert after.obj["metadata"]["namespace"] == "b"
    assert rewrites(after) == [("/subjects/0/namespace", "a", "b"), ("/subjects/1/namespace", "b", "a")]


NAMES = st.sampled_from(["a", "b", "c", "d"])
SUBJECTS = st.one_of(
    st.builds(lambda ns: {"kind": "ServiceAccount", "name": "x", "namespace": ns}, NAMES),
    st.builds(lambda ns: {"kind": "Group", "name": f"system:serviceaccounts:{ns}"}, NAMES),
    st.builds(lambda ns: {"kind": "User", "name": f"system:serviceaccount:{ns}:a"}, NAMES),
    st.builds(lambda ns: {"kind": "User", "name": ns}, NAMES),
)
FIELDS = st.sampled_from(ROWS).flatmap(lambda row: st.builds(lambda ns: (row[0], placed(row[1], ns)), NAMES))
OBJECTS = st.one_of(
    st.builds(lambda field, ns: made(field[0], field[1], namespace=ns), FIELDS, NAMES),
    st.builds(
        lambda each, kind, ns: made((RBAC, kind), {"subjects": each}, namespace=ns),
        st.lists(SUBJECTS, max_size=4),
        st.sampled_from(["RoleBinding", "ClusterRoleBinding"]),
        NAMES,
    ),
)


@given(OBJECTS, st.permutations(["a", "b", "c", "d"]))
def test_there_and_back_again_is_the_same(obj, to):
    """All but the name of what is cluster-wide, whose copy keeps its own, and what a copy of a webhook judges."""
    there = dict(zip("abcd", to, strict=True))
    obj["metadata"]["annotations"] = {LAST_APPLIED: json.dumps(obj, sort_keys=True, separators=(",", ":")) + "\n"}
    back = rename(rename(obj, there).obj, {new: old for old, new in there.items()}).obj
    if obj["kind"] == "ClusterRoleBinding":
        assert back["metadata"]["name"].startswith("it")
        assert back["subjects"] == obj["subjects"]
    elif obj["kind"].endswith("WebhookConfiguration"):
        assert back["metadata"]["name"].startswith("it")
        assert [each.get("clientConfig") for each in back["webhooks"]] == [
            each.get("clientConfig") for each in obj["webhooks"]
        ]
    else:
        assert back == obj


def applied(obj, **more):
    inner = copy.deepcopy(obj)
    inner["metadata"] |= more
    obj["metadata"]["annotations"] = {LAST_APPLIED: json.dumps(inner, sort_keys=True, separators=(",", ":")) + "\n"}
    return obj


def test_last_applied_is_renamed_as_kubectl_would_write_it():
    before = applied(made(("", "ConfigMap"), {"data": {"a": "<&>é"}}))
    text = rename(before, {"shop": "copy"}).obj["metadata"]["annotations"][LAST_APPLIED]
    assert json.loads(text)["metadata"] == {"name": "it", "namespace": "copy"}
    assert r"\u003c\u0026\u003eé" in text
    assert text.endswith("}\n")


def test_last_applied_of_a_binding_gets_the_copys_name():
    before = applied(subjects({"kind": "ServiceAccount", "name": "a", "namespace": "shop"}))
    after = rename(before, {"shop": "copy"}).obj
    inner = json.loads(after["metadata"]["annotations"][LAST_APPLIED])
    assert inner["metadata"]["name"] == after["metadata"]["name"] == "shop-admin-copy"
    assert inner["subjects"] == after["subjects"]


@pytest.mark.parametrize("more", [{"name": None}, {"name": "other"}, {"namespace": ["shop"]}, {"namespace": "bank"}])
def test_an_annotation_that_is_not_of_this_object_is_left(more):
    before = applied(made(("", "ConfigMap"), {}), **more)
    after = rename(before, {"shop": "copy"}).obj
    assert after["metadata"]["annotations"] == before["metadata"]["annotations"]
    assert after["metadata"]["namespace"] == "copy"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"kind":"ConfigMap"}', "[" * 100_000])
def test_an_annotation_that_cannot_be_read_is_left(text):
    before = made(("", "ConfigMap"), {})
    before["metadata"]["annotations"] = {LAST_APPLIED: text}
    assert rename(before, {"shop": "copy"}).obj["metadata"]["annotations"][LAST_APPLIED] == text


def test_each_kind_of_the_table_is_one_that_kubernetes_has():
    """Spelled out: a typing error in the table would rename nothing, and its own case would still pass."""
    groups = {
        "": "Endpoints PersistentVolume PersistentVolumeClaim Pod PodTemplate ReplicationController ServiceAccount",
        "admissionregistration.k8s.io": "MutatingAdmissionPolicy MutatingAdmissionPolicyBinding"
        " MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding"
        " ValidatingWebhookConfiguration",
        "apiextensions.k8s.io": "CustomResourceDefinition",
        "apiregistration.k8s.io": "APIService",
        "apps": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
        "batch": "CronJob Job",
        "discovery.k8s.io": "EndpointSlice",
        "flowcontrol.apiserver.k8s.io": "FlowSchema",
        "gateway.networking.k8s.io": "GRPCRoute Gateway GatewayClass HTTPRoute ListenerSet ReferenceGrant TCPRoute"
        " TLSRoute UDPRoute",
        "networking.k8s.io": "IngressClass NetworkPolicy",
        "rbac.authorization.k8s.io": "ClusterRoleBinding RoleBinding",
    }
    assert set(NAMESPACE_AT) == {(group, kind) for group, kinds in groups.items() for kind in kinds.split()}
    assert set(SELECTOR_VALUES_AT) <= set(NAMESPACE_AT)
