"""What is never backed up is excluded with its reason, and what only looks like it is backed up."""

from pathlib import Path

import pytest
import yaml

from kubeferry.tasks.core.selection.exclusions import (
    EXCLUDING_LABELS,
    KINDS_LEFT_OUT,
    RULES,
    SLICE_MANAGERS,
    TYPES_LEFT_OUT,
    ClusterContext,
    exclusion,
    type_left_out,
)
from kubeferry.tasks.core.selection.policy import Policy

ALL_VERBS = frozenset({"create", "delete", "get", "list", "patch", "update", "watch"})
AROUND = ClusterContext(selecting_services=frozenset({"web"}))
DATA = Path(__file__).parents[2] / "data" / "exclusions"


def load(name):
    return yaml.load((DATA / name).read_text(encoding="utf-8"), yaml.CSafeLoader)


def why_not(obj, *around):
    """The sentence for people, None for what is backed up."""
    reason = exclusion(obj, *around)
    return reason and reason.text


EXCLUDED = [(case["object"], case["why"]) for case in load("excluded.yaml")]
INCLUDED = load("included.yaml")


@pytest.mark.parametrize(("obj", "why"), EXCLUDED)
def test_never_included(obj, why):
    assert why_not(obj, AROUND) == why


@pytest.mark.parametrize("obj", INCLUDED)
def test_included(obj):
    assert why_not(obj, AROUND) is None


def test_every_rule_leaves_something_out_here():
    seen = {(obj["apiVersion"].rpartition("/")[0], obj["kind"]) for obj, _ in EXCLUDED}
    assert set(RULES) - seen == set()


def test_every_manager_of_slices_is_named_here():
    assert set(SLICE_MANAGERS.values()) <= {why for _, why in EXCLUDED}


@pytest.mark.parametrize("label", EXCLUDING_LABELS)
def test_label_leaves_any_object_out(label):
    thing = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a", "labels": {label: "true"}}}
    assert why_not(thing) == f"labelled {label}=true"


@pytest.mark.parametrize(
    ("api_version", "kind", "name", "why"),
    [
        ("v1", "ConfigMap", "kube-root-ca.crt", "every cluster publishes its own root certificate"),
        ("v1", "ConfigMap", "openshift-service-ca.crt", "every cluster publishes its own service certificate"),
        ("v1", "ConfigMap", "istio-ca-root-cert", "every mesh publishes its own root certificate"),
        ("coordination.k8s.io/v1", "Lease", "kubeferry-restore", "a restore was running"),
        ("v1", "ServiceAccount", "default", None),
    ],
)
def test_what_is_made_in_every_namespace_is_left_out_unless_people_change_it(api_version, kind, name, why):
    made = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}}
    assert why_not(made) == why


@pytest.mark.parametrize(("group", "kind"), KINDS_LEFT_OUT)
def test_object_of_a_type_that_is_never_included_is_left_out(group, kind):
    """An archive that others wrote may hold such objects."""
    obj = {"apiVersion": f"{group}/v1" if group else "v1", "kind": kind, "metadata": {"name": "a"}}
    assert why_not(obj) == KINDS_LEFT_OUT[group, kind]


@pytest.mark.parametrize(("group", "resource"), TYPES_LEFT_OUT)
def test_type_that_is_never_included(group, resource):
    assert type_left_out(group, resource, ALL_VERBS) == TYPES_LEFT_OUT[group, resource]


def test_the_kinds_that_are_never_included_are_in_the_table():
    """Each kind that semantics.md names, spelled out, so that no row can get lost."""
    named = {("", "events"), ("events.k8s.io", "events"), ("", "nodes"), ("storage.k8s.io", "volumeattachments")}
    assert named | {("storage.k8s.io", "csinodes"), ("", "componentstatuses")} <= set(TYPES_LEFT_OUT)


@pytest.mark.parametrize(
    ("verbs", "why"),
    [
        (ALL_VERBS, None),
        ({"list", "create"}, None),
        (ALL_VERBS - {"list"}, "the server does not list it"),
        ({"get", "list", "watch"}, "the server does not create it"),
        ({"create"}, "the server does not list it"),
        ((), "the server does not list it"),
    ],
)
def test_type_must_be_listed_and_created(verbs, why):
    assert type_left_out("example.com", "things", frozenset(verbs)) == why


def test_finished_jobs_are_included_where_a_user_asks_for_them():
    jobs = [obj for obj, _ in EXCLUDED if obj["kind"] == "Job"]
    assert [exclusion(job, AROUND, Policy(completed_jobs=True)) for job in jobs] == [None, None]


def test_endpoints_without_surroundings_are_recognized_by_their_own_marks():
    """With nothing known of the services, an unmarked Endpoints counts as written by hand."""
    assert why_not({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "web"}}) is None
