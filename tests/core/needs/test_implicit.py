"""Needs that no field of the needing object shows."""

import pytest

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.implicit import Implied
from kubeferry.tasks.core.needs.references.fields import RBAC


def obj(group, kind, name, namespace="shop", **more):
    meta = {"name": name} | ({"namespace": namespace} if namespace else {}) | more.pop("meta", {})
    return {"apiVersion": f"{group}/v1" if group else "v1", "kind": kind, "metadata": meta, **more}


def account(name="app", namespace="shop"):
    return obj("", "ServiceAccount", name, namespace)


def binding(*subjects, kind="RoleBinding", name="b", namespace="shop"):
    return obj(RBAC, kind, name, namespace, subjects=list(subjects))


def looked(*objects):
    made = Implied()
    for each in objects:
        made.look(each)
    return made


def named_edges(made):
    return {(str(each.source), str(each.target), each.why) for each in made.edges()}


ROLE_BINDING = f"RoleBinding.{RBAC} shop/b"
OWN = ("ServiceAccount shop/app", ROLE_BINDING, "its rights")


@pytest.mark.parametrize(
    "subject",
    [
        {"kind": "ServiceAccount", "name": "app", "namespace": "shop"},
        {"kind": "ServiceAccount", "name": "app"},
        {"kind": "User", "name": "system:serviceaccount:shop:app"},
        {"kind": "Group", "name": "system:serviceaccounts:shop"},
    ],
)
def test_an_account_needs_the_bindings_that_give_it_rights(subject):
    assert named_edges(looked(binding(subject), account())) == {OWN}
    assert named_edges(looked(account(), binding(subject))) == {OWN}


@pytest.mark.parametrize(
    "subject",
    [
        {"kind": "ServiceAccount", "name": "other"},
        {"kind": "ServiceAccount", "name": "app", "namespace": "bank"},
        {"kind": "User", "name": "app"},
        {"kind": "Group", "name": "system:serviceaccounts"},
        {"kind": "Group", "name": "system:authenticated"},
        {"kind": "Group", "name": "system:serviceaccounts:bank"},
        "text",
        {"kind": "ServiceAccount", "name": ["app"]},
    ],
)
def test_and_no_others(subject):
    made = looked(account(), binding(subject))
    assert ("ServiceAccount shop/app", ROLE_BINDING, "its rights") not in named_edges(made)


@pytest.mark.parametrize("subjects", [None, 3, "x", {"kind": "User"}])
def test_subjects_that_are_no_list_are_nobody(subjects):
    assert named_edges(looked(account(), obj(RBAC, "RoleBinding", "b", subjects=subjects))) == set()


def test_a_group_means_each_account_of_its_namespace_and_cluster_wide_bindings_count():
    group = {"kind": "Group", "name": "system:serviceaccounts:shop"}
    made = looked(
        account("a"), account("b"), account("c", "bank"), binding(group, kind="ClusterRoleBinding", namespace="")
    )
    assert {source for source, _, _ in named_edges(made)} == {"ServiceAccount shop/a", "ServiceAccount shop/b"}
    assert [str(each) for each in made.serving(frozenset({"shop"}))] == [f"ClusterRoleBinding.{RBAC} b"]
    assert list(made.serving(frozenset({"bank"}))) == []


def test_a_binding_inside_a_namespace_serves_no_other():
    made = looked(binding({"kind": "ServiceAccount", "name": "app", "namespace": "bank"}))
    assert list(made.serving(frozenset({"bank"}))) == []


@pytest.mark.parametrize(
    ("kind", "spec", "runs"),
    [
        ("Deployment", {"template": {"spec": {"containers": []}}}, True),
        ("Deployment", {"template": {"spec": {"serviceAccountName": "app"}}}, False),
        ("Deployment", {"template": {"spec": {"serviceAccount": "app"}}}, False),
        ("Deployment", {"template": None}, False),
        ("Deployment", {}, False),
    ],
)
def test_pods_that_name_no_account_run_as_default(kind, spec, runs):
    made = looked(obj("apps", kind, "web", spec=spec))
    edges = [(str(each.source), str(each.target)) for each in made.by_default()]
    assert edges == ([("Deployment.apps shop/web", "ServiceAccount shop/default")] if runs else [])
    assert named_edges(made) == set(), "that account is everywhere: it is no need that could be missing"


def test_a_role_needs_those_that_it_gathers():
    rules = {"clusterRoleSelectors": [{"matchLabels": {"to": "x"}}]}
    whole = obj(RBAC, "ClusterRole", "whole", "", aggregationRule=rules, meta={"labels": {"to": "x"}})
    part = obj(RBAC, "ClusterRole", "part", "", meta={"labels": {"to": "x"}})
    other = obj(RBAC, "ClusterRole", "other", "", meta={"labels": {"to": "y"}})
    assert named_edges(looked(whole, part, other)) == {
        (f"ClusterRole.{RBAC} whole", f"ClusterRole.{RBAC} part", "aggregationRule")
    }


@pytest.mark.parametrize(
    "rules",
    [
        [{"matchLabels": ["a"]}],
        [{"matchExpressions": [{"key": "a"}]}],
        [{"matchExpressions": [{"key": ["a"], "operator": "Exists"}]}],
        [{"matchExpressions": [{"key": "a", "operator": "Near"}]}],
        [{"matchExpressions": [{"key": "a", "operator": "In", "values": 3}]}],
        [{"matchExpressions": ["a"]}],
        [{"matchLabels": {"a": ["b"]}}],
    ],
)
def test_a_role_from_a_damaged_archive_is_an_error_that_names_it(rules):
    role = obj(RBAC, "ClusterRole", "whole", "", aggregationRule={"clusterRoleSelectors": rules})
    with pytest.raises(DamagedError, match=r"^ClusterRole\.rbac\.authorization\.k8s\.io whole: its label selector"):
        looked(role)


def test_every_object_needs_its_namespace_and_its_definition():
    crd = obj(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "widgets.e.com",
        "",
        spec={
            "group": "e.com",
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": True}],
        },
    )
    made = looked(crd)
    needed = (Ref("", "Namespace", "", "shop"), "its namespace")
    assert list(made.always(Ref("e.com", "Widget", "shop", "w"))) == [(Ref.of(crd), "its kind"), needed]
    assert list(made.always(Ref("", "Secret", "shop", "s"))) == [needed]
    assert list(made.always(Ref("", "Namespace", "", "shop"))) == []


@pytest.mark.parametrize("names", [{}, {"kind": ["Widget"], "plural": "w"}, {"kind": "W", "plural": {}}])
def test_a_definition_that_defines_nothing_is_an_error_that_names_it(names):
    spec = {"group": "e.com", "scope": "Cluster", "names": names, "versions": [{"name": "v1", "served": True}]}
    crd = obj("apiextensions.k8s.io", "CustomResourceDefinition", "widgets.e.com", "", spec=spec)
    with pytest.raises(DamagedError, match=r"widgets\.e\.com defines no kind"):
        looked(crd)


def test_parts_add_up():
    one, two = looked(account()), looked(binding({"kind": "ServiceAccount", "name": "app"}))
    one.add(two)
    assert named_edges(one) == {OWN}


WIDGETS = obj(
    "apiextensions.k8s.io",
    "CustomResourceDefinition",
    "widgets.e.com",
    "",
    spec={
        "group": "e.com",
        "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets"},
        "versions": [{"name": "v1", "served": True}],
    },
)
EVERYONE = {"kind": "Group", "name": "system:serviceaccounts:shop"}
GATHERS = {"clusterRoleSelectors": [{"matchLabels": {"to": "x"}}]}
EACH_KIND = [
    account("a"),
    account("b"),
    binding(EVERYONE),
    obj(RBAC, "ClusterRole", "whole", "", aggregationRule=GATHERS),
    obj(RBAC, "ClusterRole", "part", "", meta={"labels": {"to": "x"}}),
    WIDGETS,
    obj("", "Pod", "bare", spec={"containers": []}),
]


@pytest.mark.parametrize("parts", [EACH_KIND, EACH_KIND[::-1]])
def test_what_parts_have_seen_alone_adds_up_to_what_one_sees_of_all(parts):
    """A backup is looked at in parts, side by side: a need may join objects of two of them."""
    whole = looked()
    for each in parts:
        whole.add(looked(each))
    assert named_edges(whole) == {
        ("ServiceAccount shop/a", ROLE_BINDING, "its rights"),
        ("ServiceAccount shop/b", ROLE_BINDING, "its rights"),
        (f"ClusterRole.{RBAC} whole", f"ClusterRole.{RBAC} part", "aggregationRule"),
    }
    assert [str(each.target) for each in whole.by_default()] == ["ServiceAccount shop/default"]
    assert list(whole.always(Ref("e.com", "Widget", "", "w"))) == [(Ref.of(WIDGETS), "its kind")]


def test_the_accounts_of_a_binding_are_listed_in_their_order():
    made = looked(*(account(name) for name in "cab"), binding(EVERYONE))
    assert [each.source.name for each in made.edges()] == ["a", "b", "c"]


def test_a_binding_serves_the_namespaces_of_single_accounts_too():
    subject = {"kind": "ServiceAccount", "name": "app", "namespace": "shop"}
    made = looked(binding(subject, kind="ClusterRoleBinding", namespace=""))
    assert [each.name for each in made.serving(frozenset({"shop", "bank"}))] == ["b"]
    assert list(made.serving(frozenset({"bank"}))) == []


@pytest.mark.parametrize(("group", "kind"), [("example.com", "RoleBinding"), (RBAC, "Role")])
def test_a_kind_that_only_looks_like_a_binding_gives_no_rights(group, kind):
    assert (
        named_edges(looked(account(), obj(group, kind, "b", subjects=[{"kind": "ServiceAccount", "name": "app"}])))
        == set()
    )


@pytest.mark.parametrize(
    ("group", "kind", "body"),
    [
        ("", "Pod", {"spec": {}}),
        ("", "PodTemplate", {"template": {"spec": {}}}),
        ("", "ReplicationController", {"spec": {"template": {"spec": {}}}}),
        ("apps", "Deployment", {"spec": {"template": {"spec": {}}}}),
        ("apps", "ReplicaSet", {"spec": {"template": {"spec": {}}}}),
        ("apps", "StatefulSet", {"spec": {"template": {"spec": {}}}}),
        ("apps", "DaemonSet", {"spec": {"template": {"spec": {}}}}),
        ("batch", "Job", {"spec": {"template": {"spec": {}}}}),
        ("batch", "CronJob", {"spec": {"jobTemplate": {"spec": {"template": {"spec": {}}}}}}),
    ],
)
def test_pods_of_every_kind_run_as_default_when_they_name_no_account(group, kind, body):
    (edge,) = looked(obj(group, kind, "web", **body)).by_default()
    assert (edge.source, str(edge.target)) == (Ref(group, kind, "shop", "web"), "ServiceAccount shop/default")
