"""Modifications: each condition and each kind of patch; parameters; and what is refused, with rule and object named."""

from copy import deepcopy

import pytest
from pydantic import ValidationError

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.jsondoc.patch import PatchError
from kubeferry.tasks.core.kube.resources import words_of
from kubeferry.tasks.core.kube.strategic_merge_patch import strategic_merge
from kubeferry.tasks.core.models.modifications import Modifications
from kubeferry.tasks.core.transform.modify.apply import modified, new_host
from kubeferry.tasks.core.transform.modify.files import read_into, read_modifications

WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
    "spec": {
        "replicas": 2,
        "template": {
            "spec": {
                "containers": [
                    {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}]},
                    {"name": "side", "image": "side:1"},
                ]
            }
        },
    },
}
SPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
ROLE = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r"}, "rules": []}
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"}, "data": {"a": "eA=="}}
INGRESS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"rules": [{"host": "a.x.org"}, {"host": "b.x.org"}, {}], "tls": [{"hosts": ["a.x.org"]}]},
}
RESOURCES = {"Deployment": "deployments.apps", "Namespace": "namespaces", "Secret": "secrets"}


def modify(obj, **asked):
    before = deepcopy(obj)
    group = obj["apiVersion"].rpartition("/")[0]
    resource = RESOURCES.get(obj["kind"], f"{obj['kind'].lower()}s.{group}".rstrip("."))
    words = words_of(group, obj["kind"], [resource.partition(".")[0], "deploy" if obj is WEB else ""])
    found = modified(obj, obj, resource, words, Modifications(**asked))
    assert obj == before
    return found


def image(**conditions):
    """Whether a rule with these conditions is applied to WEB."""
    patch = [{"op": "replace", "path": "/spec/replicas", "value": 9}]
    return modify(WEB, rules=[{"patches": patch, **conditions}]).obj["spec"]["replicas"] == 9


@pytest.mark.parametrize(
    ("conditions", "meets"),
    [
        ({}, True),
        ({"kind": "deployments.apps"}, True),
        ({"kind": "Deployment"}, True),
        ({"kind": "deploy"}, True),
        ({"kind": "*.apps"}, True),
        ({"kind": "statefulsets"}, False),
        ({"group_resource": "deployments.apps"}, True),
        ({"group_resource": "deployments"}, False),
        ({"group_resource": "*"}, False),  # in Velero `*` does not go over a dot
        ({"group_resource": "*.apps"}, True),
        ({"group_resource": "**"}, True),
        ({"group_resource": "{deployments,jobs}.*"}, True),
        ({"name": "w?b"}, True),
        ({"name": "we"}, False),
        ({"name_regex": "e"}, True),  # found anywhere, as in Go's MatchString
        ({"name_regex": "^e"}, False),
        ({"namespaces": ["shop", "bank"]}, True),
        ({"namespaces": ["bank"]}, False),
        ({"namespaces": ["*"]}, True),
        ({"namespaces": ["bank", "sh*"]}, True),
        ({"namespaces": ["[q-t]hop"]}, True),
        ({"namespaces": ["{shop,bank}-*"]}, False),
        ({"group_resource": "[cd]e*.apps"}, True),
        ({"group_resource": "[!d]*.apps"}, False),
        ({"selector": "app in (web,api)"}, True),
        ({"selector": "app!=web"}, False),
        ({"matches": [{"path": "/spec/replicas", "value": 2}]}, True),
        ({"matches": [{"path": "/spec/replicas", "value": "2"}]}, False),
        ({"matches": [{"path": "/spec/none", "value": 1}]}, False),
        ({"matches": [{"path": "/spec/none", "value": None}]}, True),
        ({"matches": [{"path": "/spec/replicas", "value": None}]}, False),
        ({"matches": [{"path": "/none/none", "value": None}]}, False),  # as in Velero: what holds it is missing
        ({"kind": "deploy", "name": "api"}, False),  # all of them have to be met
    ],
)
def test_conditions(conditions, meets):
    assert image(**conditions) == meets


def test_conditions_look_at_the_object_as_it_was():
    first = {"patches": [{"op": "replace", "path": "/metadata/labels/app", "value": "other"}]}
    second = {"selector": "app=web", "merge_patches": [{"spec": {"replicas": 5}}]}
    assert modify(WEB, rules=[first, second]).obj["spec"]["replicas"] == 5


def test_a_failed_test_leaves_the_whole_rule_out():
    rule = [
        {"op": "replace", "path": "/spec/replicas", "value": 9},
        {"op": "test", "path": "/spec/replicas", "value": 2},
    ]
    assert modify(WEB, rules=[{"patches": rule}]).obj == WEB


@pytest.mark.parametrize("path", ["/spec/none", "/none/none", "/spec/template/spec/containers/7"])
def test_a_test_of_what_is_missing_leaves_the_rule_out_too(path):
    rule = [{"op": "test", "path": path, "value": "standard"}, {"op": "replace", "path": path, "value": "fast"}]
    assert modify(WEB, rules=[{"patches": rule}]).obj == WEB


@pytest.mark.parametrize(
    ("operation", "message"),
    [({"op": op, "path": "/spec/x"}, f"the operation {op} needs a 'value'") for op in ("add", "replace", "test")]
    + [({"op": op, "path": "/spec/x", "value": 1}, f"the operation {op} needs a 'from'") for op in ("copy", "move")],
)
def test_an_operation_that_lacks_a_member_is_refused_when_it_is_read(operation, message):
    with pytest.raises(ValidationError, match=message):
        Modifications(rules=[{"patches": [operation]}])


def test_an_operation_is_stored_and_read_again_as_it_is():
    """Also null, and with what has a default: a run's parameters are dumped in full."""
    operations = [
        {"op": "add", "path": "/spec/x", "value": None},
        {"op": "copy", "from": "/spec/replicas", "path": "/spec/y"},
        {"op": "remove", "path": "/spec/x"},
        {"op": "test", "path": "/spec/z", "value": None, "or_missing": True},
    ]
    asked = Modifications(rules=[{"patches": operations}])
    again = Modifications.model_validate_json(asked.model_dump_json())
    assert [each.plain() for each in again.rules[0].patches] == operations


def test_what_is_modified_is_reported_with_its_path():
    found = modify(WEB, labels={"tenant": "one"}, replicas={"web": 7})
    assert [(each.object, each.path, each.old, each.new) for each in found.rewrites] == [
        ("Deployment.apps shop/web", "/metadata/labels/tenant", "(none)", "one"),
        ("Deployment.apps shop/web", "/spec/replicas", "2", "7"),
    ]


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (
            [{"op": "remove", "path": "/spec/none"}],
            "rule 1 does not apply to Deployment.apps shop/web: there is no /spec/none",
        ),
        ([{"op": "replace", "path": "/metadata/name", "value": "x"}], "would become another object"),
        ([{"op": "replace", "path": "/kind", "value": "Job"}], "would become another object"),
        ([{"op": "replace", "path": "", "value": 1}], "would become another object"),
    ],
)
def test_what_does_not_fit_names_rule_and_object(patch, message):
    with pytest.raises(UsageError, match=message):
        modify(WEB, rules=[{"patches": patch}])


def test_the_content_of_a_secret_is_never_in_a_rule():
    with pytest.raises(ValidationError, match="the content of a Secret"):
        Modifications(rules=[{"kind": "secrets", "merge_patches": [{"data": {"a": "eQ=="}}]}])
    with pytest.raises(UsageError, match="the content of Secret shop/s cannot be modified"):
        modify(SECRET, rules=[{"merge_patches": [{"data": {"a": "eQ=="}}]}])
    assert modify(SECRET, labels={"a": "b"}).obj["data"] == SECRET["data"]


MARKED = SECRET | {
    "metadata": {"name": "s", "namespace": "shop", "labels": {"app": "web"}, "annotations": {"note": "marked"}},
    "data": {"a": "bWFya2Vk"},
    "stringData": {"b": "marked"},
    "type": "Opaque",
}


@pytest.mark.parametrize("op", ["copy", "move"])
@pytest.mark.parametrize("source", ["", "/data", "/data/a", "/stringData/b", "/metadata", "/metadata/annotations/note"])
@pytest.mark.parametrize("path", ["/metadata/labels/x", "/metadata/annotations/x", "/x", "/metadata/finalizers"])
def test_no_patch_takes_a_value_out_of_a_secret(op, source, path):
    with pytest.raises(UsageError) as caught:
        modify(MARKED, rules=[{"patches": [{"op": op, "from": source, "path": path}]}])
    assert "marked" not in str(caught.value)
    assert "bWFya2Vk" not in str(caught.value)


def test_what_is_shown_of_a_secret_may_be_copied():
    patch = {"op": "copy", "from": "/metadata/labels/app", "path": "/metadata/labels/x"}
    assert modify(MARKED, rules=[{"patches": [patch]}]).obj["metadata"]["labels"]["x"] == "web"
    patch = {"op": "copy", "from": "/metadata/annotations/note", "path": "/metadata/labels/x"}
    other = MARKED | {"kind": "ConfigMap"}
    assert modify(other, rules=[{"patches": [patch]}]).obj["metadata"]["labels"]["x"] == "marked"


@pytest.mark.parametrize("notes", [None, {"note": None}, {"note": "x"}])
def test_what_a_modification_removes_of_a_secret_is_not_shown(notes):
    found = modify(MARKED, rules=[{"merge_patches": [{"metadata": {"annotations": notes}}]}])
    assert found.rewrites
    assert all("marked" not in f"{each.old} {each.new}" for each in found.rewrites)
    shown = modify(MARKED, labels={"app": "other"}).rewrites
    assert [(each.old, each.new) for each in shown] == [("web", "other")]


def test_labels_are_for_the_namespace_and_what_is_in_it():
    asked = {"labels": {"tenant": "one"}, "annotations": {"owner": "me"}}
    assert modify(SPACE, **asked).obj["metadata"] == {"name": "shop", **asked}
    assert modify(WEB, **asked).obj["metadata"]["labels"] == {"app": "web", "tenant": "one"}
    assert "annotations" not in modify(WEB, **asked).obj["metadata"]
    assert modify(ROLE, **asked).obj is ROLE


@pytest.mark.parametrize(
    ("replicas", "count"), [({"web": 5, "*": 1}, 5), ({"*": 1}, 1), ({"w*": 0}, 0), ({"api": 1}, 2), (3, 3)]
)
def test_replicas_by_name(replicas, count):
    assert modify(WEB, replicas=replicas).obj["spec"]["replicas"] == count


def test_hosts_wherever_they_are_served():
    found = modify(INGRESS, hosts={"a.x.org": "t.y.org"}).obj["spec"]
    assert found == {"rules": [{"host": "t.y.org"}, {"host": "b.x.org"}, {}], "tls": [{"hosts": ["t.y.org"]}]}


@pytest.mark.parametrize(
    ("host", "new"), [("a.x.org", "1"), ("b.x.org", "b.z"), ("c.b.x.org", "c.q"), ("other", "all"), (None, None)]
)
def test_the_nearest_host_counts(host, new):
    assert new_host(host, {"a.x.org": "1", ".x.org": ".z", ".b.x.org": ".q", "*": "all"}) == new


# --- strategic merge


def containers(patch):
    merged = strategic_merge(WEB, {"spec": {"template": {"spec": {"containers": patch}}}})
    return merged["spec"]["template"]["spec"]["containers"]


def test_items_are_merged_by_their_key():
    found = containers([{"name": "side", "image": "side:2"}, {"name": "new", "image": "new:1"}])
    assert [(each["name"], each["image"]) for each in found] == [("web", "web:1"), ("side", "side:2"), ("new", "new:1")]
    assert containers([{"name": "web", "env": [{"name": "B", "value": "2"}]}])[0]["env"] == [
        {"name": "B", "value": "2"},
        {"name": "A", "value": "1"},
    ]


def test_directives():
    assert [each["name"] for each in containers([{"name": "side", "$patch": "delete"}])] == ["web"]
    assert containers([{"$patch": "replace"}, {"name": "only"}]) == [{"name": "only"}]
    assert strategic_merge(WEB, {"metadata": {"labels": {"$patch": "replace", "a": "b"}}})["metadata"]["labels"] == {
        "a": "b"
    }


@pytest.mark.parametrize(
    "patch",
    [
        [{"image": "x"}],
        [{"name": "web", "$retainKeys": ["name"], "image": "x"}],
        [{"name": "web", "$patch": "merge"}],
        [{"name": "web", "$grow": 1}],
        [{"name": "web", "$setElementOrder/args": ["a"]}],
        [{"name": "web", "$deleteFromPrimitiveList/env": [{"name": "A"}]}],
        ["web"],
    ],
)
def test_what_does_not_fit_is_refused(patch):
    with pytest.raises(PatchError):
        containers(patch)


def test_merged_lists_take_the_patch_s_order_and_a_deletion_takes_every_item():
    """The real API server does the same: tests/cluster/kubernetes/test_strategic_merge.py."""
    found = containers([{"name": "new", "image": "n"}, {"name": "side", "image": "s"}])
    assert [each["name"] for each in found] == ["new", "web", "side"]
    twice = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 1}, {"port": 2}, {"port": 1}]}}
    assert strategic_merge(twice, {"spec": {"ports": [{"port": 1, "$patch": "delete"}]}})["spec"]["ports"] == [
        {"port": 2}
    ]


@pytest.mark.parametrize(
    ("version", "kind", "fields", "patch", "merged"),
    [
        ("v1", "ServiceAccount", {"imagePullSecrets": [{"name": "a"}]}, {"imagePullSecrets": [{"name": "b"}]}, ["b"]),
        ("v1", "ServiceAccount", {"secrets": [{"name": "a"}]}, {"secrets": [{"name": "b"}]}, ["b", "a"]),
        ("discovery.k8s.io/v1", "EndpointSlice", {"ports": [{"name": "a"}]}, {"ports": [{"name": "b"}]}, ["b"]),
        ("v1", "Endpoints", {"subsets": [{"name": "a"}]}, {"subsets": [{"name": "b"}]}, ["b"]),
        (
            *("admissionregistration.k8s.io/v1beta1", "MutatingWebhookConfiguration"),  # a version of old clusters
            *({"webhooks": [{"name": "a"}]}, {"webhooks": [{"name": "b"}]}, ["b", "a"]),
        ),
    ],
)
def test_each_kind_has_its_own_keys(version, kind, fields, patch, merged):
    obj = {"apiVersion": version, "kind": kind, **fields}
    (field,) = fields
    assert [each["name"] for each in strategic_merge(obj, patch)[field]] == merged


def test_kinds_of_others_are_not_merged_strategically():
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "shop"}}
    with pytest.raises(UsageError, match="use merge_patches"):
        modify(widget, rules=[{"strategic_patches": [{"spec": {}}]}])


# --- files

RULES = """
version: {}
resourceModifierRules: [{{conditions: {{{}}}, patches: [{{operation: add, path: /a}}]}}]
"""
NO_SOURCE = """
version: v1
resourceModifierRules: [{{conditions: {{groupResource: pods}}, patches: [{{operation: {}, path: /a}}]}}]
"""
TWO_KINDS = """
version: v1
resourceModifierRules:
- conditions: {groupResource: pods}
  patches: [{operation: remove, path: /a}]
  strategicPatches: [{patchData: "{}"}]
"""
CLASSES = """
version: v1
resourceModifierRules:
- conditions: {groupResource: "*.apps", namespaces: ["sh*"], matches: [{path: /spec/paused, value: "null"}]}
  patches:
  - {operation: test, path: /spec/none, value: "null"}
  - {operation: replace, path: /spec/replicas, value: "4"}
- conditions: {groupResource: "deploy*.apps"}
  patches:
  - {operation: test, path: /spec/storageClassName, value: standard}
  - {operation: replace, path: /spec/storageClassName, value: fast}
"""
VELERO = """
version: v1
resourceModifierRules:
- conditions:
    groupResource: deployments.apps
    resourceNameRegex: "^we.*$"
    namespaces: [shop, bank]
    labelSelector:
      matchLabels: {app: web}
      matchExpressions: [{key: canary, operator: DoesNotExist}, {key: app, operator: In, values: [web, api]}]
    matches: [{path: /spec/replicas, value: "2"}]
  patches:
  - {operation: replace, path: /spec/replicas, value: "3"}
  - {operation: add, path: /metadata/annotations, value: '{"a": "b"}'}
  - {operation: add, path: /metadata/annotations/number, value: '"3"'}
  - {operation: add, path: /metadata/annotations/text, value: some text}
  - {operation: copy, from: /spec/template/spec/containers/0, path: /spec/template/spec/containers/-}
- conditions: {groupResource: deployments.apps}
  mergePatches: [{patchData: '{"metadata": {"labels": {"app": null}}}'}]
- conditions: {groupResource: deployments.apps}
  strategicPatches:
  - patchData: |
      spec: {template: {spec: {containers: [{name: side, image: "side:9"}]}}}
"""


def velero(text=VELERO):
    return modify(WEB, rules=read_modifications(text, "f").rules).obj


def test_velero_s_file_is_read_as_it_is():
    found = velero()
    assert found["spec"]["replicas"] == 3
    assert found["metadata"] == {
        "name": "web", "namespace": "shop", "labels": {}, "annotations": {"a": "b", "number": "3", "text": "some text"}
    }  # fmt: skip
    images = [each["image"] for each in found["spec"]["template"]["spec"]["containers"]]
    assert images == ["web:1", "web:1", "side:9"]


def test_in_velero_s_file_namespaces_are_globs_and_null_is_also_a_missing_key():
    found = velero(CLASSES)
    assert found["spec"] == WEB["spec"] | {"replicas": 4}


def test_its_config_map_is_read_too():
    indented = VELERO.replace("\n", "\n    ")
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m, namespace: velero}}\ndata:\n  f.yaml: |{indented}\n"
    assert velero(text) == velero()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RULES.format("v2", "groupResource: pods"), "only v1"),
        ("version: v1\nresourceModifierRules: []", "resourceModifierRules"),
        (RULES.format("v1", ""), "groupResource"),
        ("version: v1\nresourceModifierRules: [{conditions: {groupResource: pods}}]", "exactly one of patches"),
        ("version: v1\nresourceModifierRules: [{conditions: {groupResource: pods}, patchs: []}]", "patchs"),
        (RULES.format("v1", "groupResource: 'pods['"), "is not a glob"),
        (RULES.format("v1", "groupResource: pods, namespaces: ['[z-a]']"), "is not a glob"),
        (NO_SOURCE.format("copy"), "the operation copy needs a 'from'"),
        (NO_SOURCE.format("move"), "the operation move needs a 'from'"),
        (TWO_KINDS, "resourceModifierRules/0: only one of patches, mergePatches and strategicPatches"),
        ("kind: ConfigMap\ndata: {a: x, b: y}", "exactly one file"),
        ("[]", "no modifications"),
        ("{", "is not YAML"),
        ("labels: {a b: c}", "labels"),
        ("rules: [{patches: [{op: grow, path: /a}]}]", "rules/0/patches/0/op"),
        ("rules: [{name_regex: '(', patches: [{op: remove, path: /a}]}]", "is not a regular expression"),
        ("rules: [{selector: 'a=b=c', patches: [{op: remove, path: /a}]}]", "is not a selector"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_meant_is_refused_by_name(text, message):
    with pytest.raises(UsageError, match=f"^--modify f.*{message}"):
        read_modifications(text, "--modify f")


CSV = """\ufeffname;replicas;replicas.web;host;hosts.a.x.org;labels.team;annotations.owner;rules
one;1;3;*.one.org;a.one.org;red;me;"[{""patches"": [{""op"": ""remove"", ""path"": ""/spec/replicas""}]}]"

two;;;;;;;
"""


def test_a_table_of_namespaces():
    one, two = read_into(CSV, "t.csv")
    assert (one.name, one.replicas, one.hosts) == (
        "one",
        {"*": 1, "web": 3},
        {"*": "*.one.org", "a.x.org": "a.one.org"},
    )
    assert (one.labels, one.annotations, one.rules[0].patches[0].op) == ({"team": "red"}, {"owner": "me"}, "remove")
    assert (two.name, two.given) == ("two", False)


def test_the_same_as_yaml():
    text = "namespaces:\n- plain\n- {name: one, replicas: 2, hosts: {a.x.org: b.x.org}, labels: {team: red}}\n"
    plain, one = read_into(text, "t.yaml")
    assert (plain.name, plain.given, one.replicas, one.hosts) == ("plain", False, {"*": 2}, {"a.x.org": "b.x.org"})


@pytest.mark.parametrize(
    ("text", "file", "message"),
    [
        ("name,colour\na,red\n", "t.csv", "line 2: there is no parameter 'colour'"),
        ("name,replicas\na,many\n", "t.csv", "namespace 1: replicas"),
        ("name\nBad_Name\n", "t.csv", "namespace 1: name"),
        ("name\na,b\n", "t.csv", "line 2 has more cells"),
        ("name,rules\na,{\n", "t.csv", "rules are not JSON"),
        ("", "t.csv", "lists no namespaces"),
        ("a: b", "t.yaml", "lists no namespaces"),
        ("- {name: a, colour: red}", "t.yaml", "colour"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_by_place(text, file, message):
    with pytest.raises(UsageError, match=message):
        read_into(text, file)


def test_what_comes_later_counts_for_one_name():
    both = Modifications(replicas={"*": 1, "web": 2}, labels={"a": "1"}).also(
        Modifications(replicas={"*": 3}, labels={"a": "2"})
    )
    assert (both.replicas, both.labels) == ({"*": 3, "web": 2}, {"a": "2"})
