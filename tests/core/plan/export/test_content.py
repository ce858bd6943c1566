"""What of an object goes into Git."""

from kubeferry.tasks.core.plan.export.content import exported

LIVE = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "spec": {"b": "1", "a": "2"},
    "metadata": {
        "uid": "1",
        "resourceVersion": "7",
        "generation": 2,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [{}],
        "selfLink": "/x",
        "ownerReferences": [{"uid": "2"}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "example.com/mine": "yes"},
        "labels": {"app": "web"},
        "namespace": "shop",
        "name": "settings",
        "finalizers": ["kubernetes.io/pvc-protection", "example.com/mine", "foregroundDeletion"],
    },
}


def test_what_the_cluster_assigned_is_left_out_and_what_its_author_wrote_stays():
    assert exported(LIVE) == {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "spec": {"a": "2", "b": "1"},
        "metadata": {
            "annotations": {"example.com/mine": "yes"},
            "finalizers": ["example.com/mine"],
            "labels": {"app": "web"},
            "name": "settings",
            "namespace": "shop",
        },
    }


def test_keys_are_in_order_those_that_tell_what_it_is_first():
    found = exported(LIVE)
    assert list(found) == ["apiVersion", "kind", "metadata", "spec"]
    assert list(found["spec"]) == ["a", "b"]
    assert list(found["metadata"]) == sorted(found["metadata"])


def test_nothing_empty_is_left_of_what_was_only_assigned():
    notes = {"deployment.kubernetes.io/revision": "3"}
    meta = {"name": "d", "annotations": notes, "finalizers": ["kubernetes.io/pv-protection"]}
    found = exported({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta})
    assert found["metadata"] == {"name": "d"}


def test_a_finalizer_that_kubernetes_sets_on_another_kind_and_a_status_that_is_data_stay():
    meta = {"name": "d", "finalizers": ["kubernetes.io/pv-protection"]}
    odd = {"apiVersion": "v1", "kind": "X", "metadata": meta, "status": {"phase": "Done"}}
    assert exported(odd) == odd


def test_an_empty_map_of_its_author_stays():
    obj = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "d"}, "spec": {"podSelector": {}, "list": []}}
    assert exported(obj)["spec"] == {"podSelector": {}, "list": []}


def test_the_input_is_not_changed():
    before = repr(LIVE)
    exported(LIVE)
    assert repr(LIVE) == before
