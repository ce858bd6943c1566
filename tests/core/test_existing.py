"""What is done with an object that the target has already."""

import copy

import pytest

from tasks.core.existing import SHOWN, decide, differing, merge_patch
from tasks.core.options import Existing

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
    assert "cluster-wide" in found.why


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
