"""Which cluster-wide objects namespaces need, and which they do not."""

import pytest

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.cluster_scoped import Needs
from kubeferry.tasks.core.needs.outside import related
from kubeferry.tasks.core.needs.references.fields import RBAC


def obj(group, kind, name, **more):
    return {"apiVersion": f"{group}/v1" if group else "v1", "kind": kind, "metadata": {"name": name}, **more}


def needs(*objects, namespaces=("shop",), kinds=()):
    return Needs(frozenset(namespaces), frozenset(kinds), frozenset(objects))


def binding(name, *subjects, role="role"):
    return obj(
        RBAC,
        "ClusterRoleBinding",
        name,
        subjects=list(subjects),
        roleRef={"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
    )


ROLE = obj(RBAC, "ClusterRole", "role")
FAST = obj("storage.k8s.io", "StorageClass", "fast")
DISK = obj("", "PersistentVolume", "disk", spec={"storageClassName": "fast"})


def names(found):
    return sorted(ref.name for ref in found)


def test_what_is_named_is_needed_and_what_that_names():
    other = obj("", "PersistentVolume", "other", spec={"storageClassName": "slow"})
    slow = obj("storage.k8s.io", "StorageClass", "slow")
    assert names(related([DISK, FAST, other, slow], needs(Ref("", "PersistentVolume", "", "disk")))) == ["disk", "fast"]


def test_what_is_named_and_not_there_is_not_invented():
    assert related([FAST], needs(Ref("scheduling.k8s.io", "PriorityClass", "", "high"))) == frozenset()


def test_definitions_of_the_kinds_found_are_needed():
    crds = [
        obj(
            "apiextensions.k8s.io",
            "CustomResourceDefinition",
            f"{plural}.g.io",
            spec={"group": group, "names": {"kind": kind}},
        )
        for plural, group, kind in [
            ("things", "g.io", "Thing"),
            ("others", "g.io", "Other"),
            ("things2", "h.io", "Thing"),
        ]
    ]
    assert names(related(crds, needs(kinds=[("g.io", "Thing")]))) == ["things.g.io"]


@pytest.mark.parametrize(
    "subject",
    [
        {"kind": "ServiceAccount", "name": "web", "namespace": "shop"},
        {"kind": "Group", "apiGroup": RBAC, "name": "system:serviceaccounts:shop"},
        {"kind": "User", "apiGroup": RBAC, "name": "system:serviceaccount:shop:web"},
    ],
)
def test_a_binding_of_the_namespaces_accounts_is_needed_with_its_role(subject):
    assert names(related([binding("b", {"kind": "User", "name": "x"}, subject), ROLE], needs())) == ["b", "role"]


@pytest.mark.parametrize(
    "subject",
    [
        {"kind": "ServiceAccount", "name": "web", "namespace": "bank"},
        {"kind": "ServiceAccount", "name": "shop", "namespace": "shop-2"},
        {"kind": "User", "name": "shop"},
        {"kind": "User", "name": "web", "namespace": "shop"},
        {"kind": "Group", "name": "system:serviceaccounts"},
        {"kind": "Group", "name": "system:serviceaccounts:shop-2"},
        {"kind": "Group", "name": "system:serviceaccounts:shop:web"},
        {"kind": "User", "name": "system:serviceaccount:shop"},
        {"kind": "User", "name": None},
    ],
)
def test_a_binding_of_others_is_not(subject):
    assert related([binding("b", subject), ROLE], needs()) == frozenset()


@pytest.mark.parametrize("subjects", [None, []])
def test_a_binding_of_nobody_is_not(subjects):
    assert related([binding("b") | {"subjects": subjects}], needs()) == frozenset()


def test_objects_that_need_each_other_end_the_search():
    one = obj(
        "networking.k8s.io",
        "IngressClass",
        "one",
        spec={"parameters": {"apiGroup": "storage.k8s.io", "kind": "StorageClass", "name": "fast"}},
    )
    assert names(related([one, FAST], needs(Ref("networking.k8s.io", "IngressClass", "", "one")))) == ["fast", "one"]
    again = obj("", "PersistentVolume", "disk", spec={"storageClassName": "fast"})
    assert names(related([DISK, again, FAST], needs(Ref("", "PersistentVolume", "", "disk")))) == ["disk", "fast"]


def test_an_aggregated_role_brings_the_roles_that_it_gathers():
    gathers = {"clusterRoleSelectors": [{"matchLabels": {"to": "shop"}}, {"matchExpressions": [OPERATOR]}]}
    made = [
        role("whole", aggregationRule=gathers),
        role("part", {"to": "shop"}),
        role("other", {"tier": "web"}),
        role("stranger", {"to": "bank"}),
    ]
    wanted = related(made, Needs(frozenset(), frozenset(), frozenset({Ref.of(made[0])})))
    assert {ref.name for ref in wanted} == {"whole", "part", "other"}


OPERATOR = {"key": "tier", "operator": "In", "values": ["web", "api"]}


def role(name, labels=None, **rest):
    meta = {"name": name, "labels": labels or {}}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": meta, **rest}


@pytest.mark.parametrize(
    ("expression", "gathered"),
    [
        ({"key": "tier", "operator": "In", "values": ["web"]}, ["labelled"]),
        ({"key": "tier", "operator": "NotIn", "values": ["web"]}, ["other", "unlabelled"]),
        ({"key": "tier", "operator": "Exists"}, ["labelled", "other"]),
        ({"key": "tier", "operator": "DoesNotExist"}, ["unlabelled"]),
    ],
)
def test_each_operator_of_a_label_selector_gathers_its_roles(expression, gathered):
    whole = role(
        "whole", {"tier": "web"}, aggregationRule={"clusterRoleSelectors": [{"matchExpressions": [expression]}]}
    )
    made = [whole, role("labelled", {"tier": "web"}), role("other", {"tier": "db"}), role("unlabelled")]
    assert names(related(made, needs(Ref.of(whole)))) == sorted(["whole", *gathered])


def test_a_selector_that_is_null_gathers_all():
    whole = role("whole", aggregationRule={"clusterRoleSelectors": [None]})
    assert names(related([whole, role("part")], needs(Ref.of(whole)))) == ["part", "whole"]


def test_only_rbacs_own_bindings_and_roles_count():
    """A custom resource may have subjects and an aggregationRule of its own."""
    subject = {"kind": "ServiceAccount", "name": "web", "namespace": "shop"}
    foreign = obj("example.com", "ClusterRoleBinding", "b", subjects=[subject])
    assert related([foreign], needs()) == frozenset()
    gathers = {"clusterRoleSelectors": [{"matchLabels": {"to": "shop"}}]}
    foreign = obj("example.com", "ClusterRole", "whole", aggregationRule=gathers)
    part = role("part", {"to": "shop"})
    assert names(related([foreign, part], needs(Ref.of(foreign)))) == ["whole"]
    whole = role("whole", aggregationRule=gathers)
    labelled = obj("example.com", "ClusterRole", "part", metadata={"name": "part", "labels": {"to": "shop"}})
    assert names(related([whole, labelled], needs(Ref.of(whole)))) == ["whole"]


def test_a_definition_of_the_same_kind_in_another_group_is_not_needed():
    crd = obj(
        "apiextensions.k8s.io", "CustomResourceDefinition", "a", spec={"group": "h.io", "names": {"kind": "Thing"}}
    )
    assert related([crd], needs(kinds=[("g.io", "Thing")])) == frozenset()
    assert names(related([crd], needs(kinds=[("h.io", "Thing")]))) == ["a"]


def test_the_definition_of_a_cluster_scoped_kind_comes_with_its_object():
    def crd(kind):
        spec = {"group": "certs.example", "names": {"kind": kind}}
        return obj("apiextensions.k8s.io", "CustomResourceDefinition", f"{kind.lower()}s", spec=spec)

    acme = obj("certs.example", "ClusterIssuer", "acme")
    found = related(
        [crd("ClusterIssuer"), crd("Account"), acme], needs(Ref("certs.example", "ClusterIssuer", "", "acme"))
    )
    assert names(found) == ["acme", "clusterissuers"]
