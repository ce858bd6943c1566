"""What of an existing object is changed, and what is left: patches field by field, reasons, and lost owners."""

import pytest

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import Existing
from kubeferry.tasks.core.plan.existing import decide, leftover, merge_patch, named, owners_lost


def widget(spec=None, meta=None, **rest):
    body = {} if spec is None else {"spec": spec}
    named_so = {"name": "w", "namespace": "shop", **(meta or {})}
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": named_so, **body, **rest}


def live(spec=None, meta=None, **rest):
    return widget(spec, {"uid": "u", "resourceVersion": "9", **(meta or {})}, **rest)


@pytest.mark.parametrize(
    ("wanted", "there", "patch"),
    [
        ({"a": 1}, {"a": 2}, {"a": 1}),
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1}, {}, {"a": 1}),
        ({}, {"a": 1}, {"a": None}),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, {"a": {"c": None}}),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": 7}, {"a": {"b": 1}}),
        ({"a": 7}, {"a": {"b": 1}}, {"a": 7}),
        ({"a": {}}, {"a": 7}, {"a": {}}),
        ({"a": {}}, {}, {"a": {}}),
        ({"a": [1, 2]}, {"a": [2, 1]}, {"a": [1, 2]}),
        ({"a": [1]}, {"a": {"b": 1}}, {"a": [1]}),
        ({"a": True}, {"a": 1}, {"a": True}),
        ({"a": {"b": {"c": 1}}, "d": 1}, {"a": {"b": {"c": 1}}, "d": 1}, None),
    ],
)
def test_a_patch_holds_what_differs_and_nothing_else(wanted, there, patch):
    expected = {"metadata": {"uid": "u"}} | ({} if patch is None else {"spec": patch})
    assert leftover(widget(wanted), live(there)) == expected


def test_labels_and_annotations_that_the_backup_has_not_are_removed_and_others_finalizers_stay():
    wanted = widget({"a": 1}, {"labels": {"app": "w"}})
    there = live(
        {"a": 1},
        {
            "labels": {"app": "x", "more": "y"},
            "annotations": {"note": "z"},
            "finalizers": ["example.com/hold"],
            "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "c"}],
        },
    )
    changed = {"labels": {"app": "w", "more": None}, "annotations": None, "uid": "u"}
    assert leftover(wanted, there) == {"metadata": changed}


def owned(*owners):
    references = [{"apiVersion": "v1", "kind": kind, "name": name, "uid": uid} for kind, name, uid in owners]
    return widget(meta={"ownerReferences": references} if references else {})


@pytest.mark.parametrize(
    ("now", "then", "lost"),
    [
        ([("ConfigMap", "a", "new")], [("ConfigMap", "a", "old")], True),
        ([("ConfigMap", "a", "new")], [("ConfigMap", "a", "new")], False),
        ([("ConfigMap", "a", "new")], [("Secret", "a", "old")], False),
        ([("ConfigMap", "a", "new")], [("ConfigMap", "b", "old")], False),
        ([("ConfigMap", "a", "1"), ("ConfigMap", "b", "2")], [("ConfigMap", "a", "1"), ("ConfigMap", "b", "2")], False),
        ([("ConfigMap", "a", "1"), ("Secret", "a", "2")], [("ConfigMap", "a", "1"), ("Secret", "a", "2")], False),
        ([("ConfigMap", "a", "1"), ("ConfigMap", "b", "2")], [("ConfigMap", "a", "1"), ("ConfigMap", "b", "3")], True),
        ([], [("ConfigMap", "a", "old")], False),
        ([("ConfigMap", "a", "new")], [], False),
    ],
)
def test_an_owner_is_lost_when_it_goes_by_a_uid_that_is_another_objects_now(now, then, lost):
    assert owners_lost(owned(*now), owned(*then)) is lost


ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app", "namespace": "shop"}}


@pytest.mark.parametrize("field", ["secrets", "imagePullSecrets"])
@pytest.mark.parametrize("there", [None, [], [{"name": "z"}]])
def test_a_merge_adds_the_secrets_of_an_account_behind_those_that_are_there(field, there):
    have = {} if there is None else {field: there}
    patch = merge_patch(ACCOUNT | {field: [{"name": "p"}]}, ACCOUNT | have)
    assert patch == {"metadata": {"labels": {}, "annotations": {}}, field: [*(there or []), {"name": "p"}]}


def test_up_to_three_fields_are_named_and_the_others_counted():
    assert named(["a"]) == "a"
    assert named(["a", "b", "c"]) == "a, b, c"
    assert named(["a", "b", "c", "d"]) == "a, b, c and 1 more"


def of(api_version, kind, namespace, **body):
    place = {"namespace": namespace} if namespace else {}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", **place}, **body}


@pytest.mark.parametrize(
    ("kind", "namespace", "existing", "action", "why"),
    [
        ("PriorityClass", "", "update", "kept", "cluster-scoped, and exists with other content: value"),
        ("ServiceAccount", "shop", "fail", "merged", "labels, annotations and secrets added: value"),
        ("ConfigMap", "shop", "fail", "conflict", "exists with other content: value"),
        ("ConfigMap", "shop", "skip", "skipped", "exists with other content: value"),
        ("ConfigMap", "shop", "update", "updated", "had other content: value"),
        ("ConfigMap", "shop", "recreate", "recreated", "had other content: value"),
    ],
)
def test_a_decision_says_why_and_in_which_field(kind, namespace, existing, action, why):
    found = decide(of("v1", kind, namespace, value=1), of("v1", kind, namespace, value=2), Existing(existing))
    assert (found.action, found.why) == (action, why)


def test_a_decision_about_what_cannot_be_changed_names_only_those_fields():
    wanted = of("v1", "Secret", "shop", type="Opaque", data={"a": "MQ=="})
    there = of("v1", "Secret", "shop", type="other", data={"a": "Mg=="})
    found = decide(wanted, there, Existing.UPDATE)
    assert (found.action, found.why) == (
        "immutable",
        "has other content in immutable fields: type",
    )


def test_a_decision_about_what_a_controller_has_made_names_the_controller():
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u", "controller": True}
    wanted = of("apps/v1", "ReplicaSet", "shop", spec={"replicas": 2})
    there = of("apps/v1", "ReplicaSet", "shop", spec={"replicas": 3})
    there["metadata"]["ownerReferences"] = [owner]
    found = decide(wanted, there, Existing.FAIL, Ref("apps", "Deployment", "shop", "web"))
    expected = "created by its controller, Deployment web: spec.replicas"
    assert (found.action, found.why) == ("kept", expected)
    assert decide(wanted, there, Existing.FAIL, Ref("apps", "StatefulSet", "shop", "web")).action == "conflict"
    assert decide(wanted, there, Existing.FAIL, Ref("apps", "Deployment", "shop", "other")).action == "conflict"
