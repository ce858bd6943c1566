"""Every row of every table finds its target, and what only looks like a reference is none."""

import pytest

from kubeferry.tasks.core.jsondoc.edit import group_of, values
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.references.fields import (
    CLUSTER_SCOPED,
    POD_SPEC,
    POD_SPEC_AT,
    POD_SPEC_TYPED,
    RBAC,
    SERVICE_AT,
    TABLE,
    TYPED_AT,
)
from kubeferry.tasks.core.needs.references.find import Reference, references, starts


def placed(path, value):
    """Return an object that holds `value` at a path of the tables."""
    for part in reversed(path.split(".")):
        value = {part.removesuffix("[]"): [value]} if part.endswith("[]") else {part: value}
    return value


def made(kind, path, value):
    group, name = kind
    meta = {"name": "it", "namespace": "shop"}
    return {"apiVersion": f"{group}/v1" if group else "v1", "kind": name, "metadata": meta, **placed(path, value)}


def target(group, kind, name="there", namespace="shop"):
    return Ref(group, kind, "" if (group, kind) in CLUSTER_SCOPED else namespace, name)


POD_ROWS = [(kind, f"{at}.{row.path}", row.group, row.kind) for kind, at in POD_SPEC_AT.items() for row in POD_SPEC]
TABLE_ROWS = [
    (kind, row.path, row.group, row.kind) for kind, rows in TABLE.items() for row in rows if not row.namespace
]
ELSEWHERE_ROWS = [(kind, row) for kind, rows in TABLE.items() for row in rows if row.namespace]
TYPED_ROWS = [(kind, row.path) for kind, rows in TYPED_AT.items() for row in rows] + [
    (kind, f"{at}.{row.path}") for kind, at in POD_SPEC_AT.items() for row in POD_SPEC_TYPED
]


@pytest.mark.parametrize(("kind", "row"), ELSEWHERE_ROWS)
def test_a_row_with_a_namespace_finds_its_target_there(kind, row):
    head, _, name = row.path.rpartition(".")
    found = references(made(kind, head, {name: "there", row.namespace: "bank"}))
    assert list(found) == [Reference(Ref(row.group, row.kind, "bank", "there"), row.path)]
    assert list(references(made(kind, head, {name: "there"}))) == []
    assert list(references(made(kind, head, {name: "there", row.namespace: 7}))) == []


@pytest.mark.parametrize(("kind", "path", "group", "to"), [*POD_ROWS, *TABLE_ROWS])
def test_each_row_of_a_name_finds_its_target(kind, path, group, to):
    assert list(references(made(kind, path, "there"))) == [Reference(target(group, to), path)]


@pytest.mark.parametrize(("kind", "path", "group", "to"), [*POD_ROWS, *TABLE_ROWS])
@pytest.mark.parametrize("odd", ["", None, 7, ["there"], {"name": "there"}])
def test_a_field_that_holds_no_name_refers_to_nothing(kind, path, group, to, odd):  # noqa: ARG001 - rows as above
    assert list(references(made(kind, path, odd))) == []


@pytest.mark.parametrize(("kind", "path"), TYPED_ROWS)
def test_each_typed_row_finds_its_target(kind, path):
    at = path.replace("[]", "")
    assert at
    for group in ({"apiGroup": "g.io"}, {"apiVersion": "g.io/v1"}):
        found = list(references(made(kind, path, {**group, "kind": "Thing", "name": "there"})))
        assert found == [Reference(Ref("g.io", "Thing", "shop", "there"), path)]


@pytest.mark.parametrize(("kind", "path"), TYPED_ROWS)
def test_a_typed_row_takes_the_namespace_that_it_names(kind, path):
    found = list(references(made(kind, path, {"kind": "Thing", "name": "there", "namespace": "bank"})))
    assert found == [Reference(Ref("", "Thing", "bank", "there"), path)]


@pytest.mark.parametrize(("kind", "path"), TYPED_ROWS)
@pytest.mark.parametrize(
    "odd", ["there", None, 7, [], {}, {"kind": "Thing"}, {"name": "there"}, {"kind": 1, "name": "a"}]
)
def test_a_typed_row_without_kind_and_name_refers_to_nothing(kind, path, odd):
    assert list(references(made(kind, path, odd))) == []


@pytest.mark.parametrize("odd", [{"apiGroup": 7}, {"apiVersion": ["v1"]}])
def test_an_odd_group_breaks_nothing(odd):
    obj = made((RBAC, "RoleBinding"), "roleRef", {**odd, "kind": "Role", "name": "there"})
    assert len(list(references(obj))) == 1


@pytest.mark.parametrize(("kind", "path"), SERVICE_AT.items())
def test_each_row_of_services_finds_its_service(kind, path):
    found = list(references(made(kind, path, {"namespace": "bank", "name": "there", "port": 443})))
    assert found == [Reference(Ref("", "Service", "bank", "there"), path)]
    for odd in ("there", {}, {"name": "there"}, {"namespace": "bank"}, {"namespace": 1, "name": "there"}):
        assert list(references(made(kind, path, odd))) == []


@pytest.mark.parametrize(
    ("group", "kind"), [("", "PersistentVolume"), (RBAC, "ClusterRole"), ("storage.k8s.io", "StorageClass")]
)
def test_a_cluster_scoped_target_has_no_namespace(group, kind):
    obj = made((RBAC, "RoleBinding"), "roleRef", {"apiGroup": group, "kind": kind, "name": "there"})
    assert [each.target for each in references(obj)] == [Ref(group, kind, "", "there")]


def test_marks_that_are_references():
    token = made(("", "Secret"), "type", "kubernetes.io/service-account-token")
    token["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "runner"}
    assert [each.target for each in references(token)] == [Ref("", "ServiceAccount", "shop", "runner")]
    endpoints = made(("", "Endpoints"), "subsets", [])
    assert [each.target for each in references(endpoints)] == [Ref("", "Service", "shop", "it")]
    piece = made(("discovery.k8s.io", "EndpointSlice"), "addressType", "IPv4")
    piece["metadata"]["labels"] = {"kubernetes.io/service-name": "web"}
    assert [each.target for each in references(piece)] == [Ref("", "Service", "shop", "web")]


def test_near_misses_are_no_references():
    opaque = made(("", "Secret"), "type", "Opaque")
    opaque["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "runner"}
    config = made(("", "ConfigMap"), "data", {"serviceAccountName": "runner", "secretName": "db"})
    wrong_depth = made(("apps", "Deployment"), "spec.serviceAccountName", "runner")
    own_pod = made(("", "Pod"), "spec.template.spec.serviceAccountName", "runner")
    map_for_list = made(("", "Pod"), "spec.volumes", {"configMap": {"name": "there"}})
    list_for_map = made(("", "Pod"), "spec.serviceAccountName[]", "runner")
    piece = made(("discovery.k8s.io", "EndpointSlice"), "addressType", "IPv4")
    for obj in (opaque, config, wrong_depth, own_pod, map_for_list, list_for_map, piece):
        assert list(references(obj)) == [], obj


def test_each_entry_of_a_list_is_looked_at():
    pod = made(
        ("", "Pod"),
        "spec.volumes",
        [{"secret": {"secretName": "a"}}, {"emptyDir": {}}, {"secret": {"secretName": "b"}}],
    )
    assert [each.target.name for each in references(pod)] == ["a", "b"]


def test_values_of_a_path():
    obj = {"a": [{"b": 1}, {"b": None}, {"c": 2}, "x", {"b": 0}]}
    assert list(values(obj, "a[].b")) == [1, 0]
    assert list(values(obj, "a.b")) == []
    assert list(values(None, "a")) == []
    assert list(values({"a": False}, "a")) == [False]


@pytest.mark.parametrize(
    ("kind", "group", "target", "expected"),
    [
        (("apps/v1", "StatefulSet"), "", "ServiceAccount", True),
        (("v1", "Pod"), "", "Secret", True),
        (("batch/v1", "CronJob"), "", "ConfigMap", True),
        (("apps/v1", "StatefulSet"), "scheduling.k8s.io", "PriorityClass", False),
        (("apps/v1", "StatefulSet"), "", "Service", False),
    ],
)
def test_what_a_pod_cannot_start_without(kind, group, target, expected):
    obj = {"apiVersion": kind[0], "kind": kind[1], "metadata": {"name": "web", "namespace": "shop"}}
    at = POD_SPEC_AT[group_of(kind[0]), kind[1]]
    assert starts(obj, Reference(Ref(group, target, "shop", "x"), f"{at}.made.up")) is expected
    assert not starts(obj, Reference(Ref(group, target, "shop", "x"), "made.up"))


def test_who_has_no_pods_names_nothing_that_pods_need():
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "web"}}
    assert not starts(binding, Reference(Ref("", "ServiceAccount", "shop", "x"), "spec.serviceAccountName"))
