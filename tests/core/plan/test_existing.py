"""What is done with an object that the target has already."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.jsondoc.differences import differences, steps_of
from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.core.models.options import Existing, RestoreOptions
from kubeferry.tasks.core.plan.existing import SHOWN, decide, differing, kind_faults, leftover, merge_patch, mode_of

CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}, "data": {"a": "1"}}
ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "r"},
    "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}],
}
ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "shop"}}


def live(obj, **changes):
    """Return `obj` as a server stores it, with changes."""
    stored = copy.deepcopy(obj) | changes
    stored["metadata"] |= {
        "uid": "u",
        "resourceVersion": "9",
        "creationTimestamp": "2026-11-23T15:00:00Z",
        "managedFields": [{"manager": "kubeferry"}],
    }
    return stored


@pytest.mark.parametrize("existing", Existing)
@pytest.mark.parametrize("obj", [CONFIG, ROLE, ACCOUNT])
def test_an_identical_object_is_unchanged(obj, existing):
    assert decide(obj, live(obj), existing).action == "unchanged"


@pytest.mark.parametrize(
    ("existing", "action"),
    [
        (Existing.FAIL, "conflict"),
        (Existing.SKIP, "skipped"),
        (Existing.UPDATE, "updated"),
        (Existing.RECREATE, "recreated"),
    ],
)
def test_what_is_asked_for_is_done_with_another_content(existing, action):
    found = decide(CONFIG, live(CONFIG, data={"a": "2"}), existing)
    assert found.action == action
    assert found.why.endswith("other content: data.a")


@pytest.mark.parametrize("existing", Existing)
def test_what_others_share_is_kept_whatever_is_asked_for(existing):
    found = decide(ROLE, live(ROLE, rules=[]), existing)
    assert found.action == "kept"
    assert "cluster-scoped" in found.why


@pytest.mark.parametrize("existing", Existing)
def test_an_account_is_merged_whatever_is_asked_for(existing):
    assert decide(ACCOUNT | {"secrets": [{"name": "s"}]}, live(ACCOUNT), existing).action == "merged"


def test_another_groups_service_account_is_not_merged():
    other = ACCOUNT | {"apiVersion": "example.com/v1", "spec": 1}
    assert decide(other, live(ACCOUNT, apiVersion="example.com/v1", spec=2), Existing.SKIP).action == "skipped"


def test_a_reason_names_fields_and_never_their_values():
    values = {f"k{number}": "marked-value" for number in range(SHOWN + 2)}
    found = decide(CONFIG | {"data": values}, live(CONFIG, data={}), Existing.FAIL)
    assert "marked-value" not in found.why
    assert found.why.count("data") == SHOWN or found.why == "exists with other content: data"


def test_a_reason_names_the_first_fields_and_counts_the_others():
    spec = {f"k{number}": {"a": 1} for number in range(SHOWN + 2)}
    thing = {"apiVersion": "e.com/v1", "kind": "Thing", "metadata": {"name": "t", "namespace": "shop"}, "spec": spec}
    other = live(thing, spec={key: {"a": 2} for key in spec})
    assert (
        decide(thing, other, Existing.FAIL).why
        == "exists with other content: spec.k0.a, spec.k1.a, spec.k2.a and 2 more"
    )


def test_owners_are_no_difference():
    wanted = copy.deepcopy(CONFIG)
    wanted["metadata"]["ownerReferences"] = [{"kind": "Deployment", "name": "web", "uid": "new"}]
    assert differing(wanted, live(CONFIG)) == []


@pytest.mark.parametrize("spec", ["text", ["a"], 7, None, {}])
def test_a_spec_may_be_anything(spec):
    thing = {"apiVersion": "e.com/v1", "kind": "Thing", "metadata": {"name": "t", "namespace": "shop"}, "spec": spec}
    assert differing(thing, live(thing)) == []


def test_a_claim_that_was_bound_by_hand_is_compared_with_its_volume():
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "d", "namespace": "shop"},
        "spec": {"volumeName": "disk", "accessModes": ["ReadWriteOnce"]},
    }
    assert differing(claim, live(claim)) == []
    assert differing(claim, live(claim, spec=claim["spec"] | {"volumeName": "other"})) == ["spec.volumeName"]
    free = claim | {"spec": {"accessModes": ["ReadWriteOnce"]}}
    assert differing(free, live(claim)) == [], "the target bound what the backup leaves free"


def test_a_merge_adds_what_is_missing_and_takes_nothing_away():
    wanted = ACCOUNT | {
        "secrets": [{"name": "a"}, {"name": "b"}],
        "imagePullSecrets": [{"name": "p"}],
        "automountServiceAccountToken": False,
    }
    wanted["metadata"] = ACCOUNT["metadata"] | {"labels": {"app": "x"}, "annotations": {"n": "1"}}
    assert merge_patch(
        wanted, live(ACCOUNT, secrets=[{"name": "z"}, {"name": "a"}], imagePullSecrets=[{"name": "p"}])
    ) == {
        "metadata": {"labels": {"app": "x"}, "annotations": {"n": "1"}},
        "secrets": [{"name": "z"}, {"name": "a"}, {"name": "b"}],
        "automountServiceAccountToken": False,
    }


def test_a_merge_of_nothing_patches_nothing():
    assert merge_patch(ACCOUNT, live(ACCOUNT, secrets=[{"name": "z"}])) == {
        "metadata": {"labels": {}, "annotations": {}}
    }


# --- what an update cannot change


def of(kind, api="v1", **rest):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "x", "namespace": "shop"}, **rest}


@pytest.mark.parametrize(
    ("wanted", "changes", "field"),
    [
        (of("Secret", type="Opaque"), {"type": "other"}, "type"),
        (of("ConfigMap", data={"a.b": "1"}, immutable=True), {"data": {"a.b": "2"}}, 'data["a.b"]'),
        (of("ConfigMap", data={"a": "1"}), {"immutable": True}, "immutable"),
        (of("PersistentVolumeClaim", spec={"volumeMode": "Block"}), {"spec": {}}, "spec.volumeMode"),
        (of("Job", "batch/v1", spec={"template": {"spec": {}}}), {"spec": {"template": {}}}, "spec.template.spec"),
        (of("Service", spec={"clusterIP": "None"}), {"spec": {"clusterIP": "10.0.0.1"}}, "spec.clusterIP"),
    ],
)
def test_what_cannot_be_changed_is_reported_with_its_field(wanted, changes, field):
    found = decide(wanted, live(wanted, **changes), Existing.UPDATE)
    assert (found.action, found.why.rpartition(": ")[2]) == ("immutable", field)
    assert decide(wanted, live(wanted, **changes), Existing.RECREATE).action == "recreated"
    assert decide(wanted, live(wanted, **changes), Existing.SKIP).action == "skipped"


@pytest.mark.parametrize(
    ("wanted", "changes"),
    [
        (of("ConfigMap", data={"a": "1"}), {"data": {}}),
        (of("PersistentVolumeClaim", spec={"resources": {"a": 1}}), {"spec": {"resources": {"a": 2}}}),
        (of("Pod", spec={"containers": [{"image": "a"}]}), {"spec": {"containers": [{"image": "b"}]}}),
        (of("Job", "batch/v1", spec={"suspend": True}), {"spec": {"suspend": False}}),
        (of("Job", "example.com/v1", spec={"template": 1}), {"spec": {"template": 2}}),
    ],
)
def test_what_can_be_changed_is_updated(wanted, changes):
    assert decide(wanted, live(wanted, **changes), Existing.UPDATE).action == "updated"


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("spec.template.spec.containers[10].image", ["spec", "template", "spec", "containers", "10", "image"]),
        ('data["a.b[1]"]', ["data", "a.b[1]"]),
        ('data["q\\"]"].x', ["data", 'q"]', "x"]),
        ('metadata.annotations["x/y"]', ["metadata", "annotations", "x/y"]),
    ],
)
def test_a_path_is_read_back_as_steps(path, steps):
    assert steps_of(path) == steps


KEYS = st.text("ab.[]\"'\\ ", max_size=4)


@given(st.lists(KEYS, min_size=1, max_size=4))
def test_the_path_of_any_difference_leads_back_to_it(keys):
    value = "x"
    for key in reversed(keys):
        value = {key: value}
    (found,) = differences({}, value) if len(keys) == 1 else differences(nested(keys, "y"), nested(keys, "x"))
    assert steps_of(found.path) == keys


def nested(keys, value):
    for key in reversed(keys):
        value = {key: value}
    return value


# --- what an update leaves


def patched(value, patch):
    """Apply a merge patch (RFC 7386)."""
    result = dict(value) if isinstance(value, dict) else {}
    for key, new in patch.items():
        if new is None:
            result.pop(key, None)
        else:
            result[key] = patched(result.get(key), new) if isinstance(new, dict) else new
    return result


JSON = st.recursive(
    st.booleans() | st.integers() | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
CONTENTS = st.dictionaries(st.sampled_from(["spec", "data"]), st.dictionaries(st.sampled_from("abc"), JSON))


@given(CONTENTS, CONTENTS)
def test_the_patch_of_what_is_left_gives_the_content_of_the_backup(one, other):
    wanted, there = (of("Widget", "example.com/v1", **each) for each in (one, other))
    assert differing(wanted, patched(live(there), leftover(wanted, live(there)))) == []


def test_the_patch_touches_neither_owners_nor_finalizers_nor_what_the_cluster_gave():
    wanted = of("Service", spec={"ports": [{"port": 80}]})
    there = live(
        wanted, spec={"ports": [{"port": 80, "nodePort": 30000}], "clusterIP": "10.0.0.1", "clusterIPs": ["x"]}
    )
    there["metadata"] |= {"finalizers": ["example.com/x"], "ownerReferences": [{"uid": "o"}], "labels": {"a": "b"}}
    assert leftover(wanted, there) == {"metadata": {"labels": None, "uid": "u"}}


# --- one kind and another

DEPLOYMENTS = ResourceType("apps", "v1", "Deployment", "deployments", namespaced=True, names=frozenset({"deploy"}))
SECRETS = ResourceType("", "v1", "Secret", "secrets", namespaced=True)


@pytest.mark.parametrize(
    ("kinds", "mode"),
    [
        ({}, "fail"),
        ({"secrets": "skip"}, "fail"),
        ({"deploy": "skip"}, "skip"),
        ({"Deployment": "update"}, "update"),
        ({"deployments.apps": "recreate", "deploy": "skip"}, "recreate"),
        ({"deployments.example.com": "recreate"}, "fail"),
    ],
)
def test_a_kind_goes_by_any_name_and_the_exact_one_counts_more(kinds, mode):
    assert mode_of(DEPLOYMENTS, RestoreOptions(backup="b", existing_kinds=kinds)) == mode


def test_unknown_kinds_and_contradictions_are_faults():
    kinds = {"deploy": "skip", "deployments": "update", "secrets": "skip", "secret": "skip", "gadgets": "fail"}
    asked = RestoreOptions(backup="b", existing_kinds=kinds).existing_kinds
    assert kind_faults([DEPLOYMENTS, SECRETS], asked) == [
        "--existing gadgets=fail: the cluster serves no kind gadgets, and the backup has no CRD for it",
        "--existing has two modes for deployments.apps: deploy, deployments",
    ]
    assert kind_faults([DEPLOYMENTS, SECRETS], {}) == []
