"""What an undo restores: the previous content, without what only an API server writes, in place of one exact object."""

import copy

from kubeferry.tasks.core.plan.existing import content, replacement, to_create_again

FORMER = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {
        "name": "web",
        "namespace": "shop",
        "labels": {"app": "web"},
        "annotations": {},
        "finalizers": [],
        "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "boss", "uid": "boss-uid"}],
        "uid": "former-uid",
        "resourceVersion": "7",
        "generation": 3,
        "creationTimestamp": "2026-01-02T03:04:05Z",
        "deletionTimestamp": "2026-01-02T03:05:05Z",
        "deletionGracePeriodSeconds": 30,
        "managedFields": [{"manager": "kubectl"}],
        "selfLink": "/api/v1/namespaces/shop/services/web",
    },
    "spec": {"clusterIP": "10.96.0.7", "selector": {}},
    "status": {"loadBalancer": {}},
}
KEPT = {
    "name": "web",
    "namespace": "shop",
    "labels": {"app": "web"},
    "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "boss", "uid": "boss-uid"}],
}
LIVE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "shop", "uid": "live-uid", "resourceVersion": "99", "labels": {"x": "y"}},
    "spec": {"clusterIP": "10.96.0.7", "selector": {"app": "other"}},
    "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
}


def test_content_is_what_a_person_can_say_of_an_object():
    """Its address and its owners are; empty maps of metadata say nothing, and empty maps of the spec do."""
    before = copy.deepcopy(FORMER)
    spec = {"clusterIP": "10.96.0.7", "selector": {}}
    assert content(FORMER) == {"apiVersion": "v1", "kind": "Service", "metadata": KEPT, "spec": spec}
    assert before == FORMER


def test_a_replacement_is_refused_where_the_object_changed_or_is_another_one():
    """Uid and resourceVersion are those of the live object, which the API server compares."""
    put = replacement(FORMER, LIVE)
    assert put["metadata"] == KEPT | {"uid": "live-uid", "resourceVersion": "99"}
    assert put["spec"] == FORMER["spec"]


def test_a_replacement_keeps_the_status_that_is_there():
    """A PUT without status would take it away where a kind has no status subresource."""
    assert replacement(FORMER, LIVE)["status"] == LIVE["status"]
    without = {key: value for key, value in LIVE.items() if key != "status"}
    assert "status" not in replacement(FORMER, without)


def test_what_is_gone_is_recreated_with_its_previous_content():
    made = to_create_again(FORMER)
    assert made["metadata"] == KEPT
    assert made["spec"]["clusterIP"] == "10.96.0.7"
    assert "status" not in made
