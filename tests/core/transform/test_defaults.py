"""A class says of what it is the default; the mark goes from it and from kubectl's copy, and the rest stays."""

import copy
import json

import pytest

from kubeferry.tasks.core.transform.defaults import marks, path_of, without_mark

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
STORAGE, BETA = "storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"
VIRT = "storageclass.kubevirt.io/is-default-virt-class"
SNAPSHOT = "snapshot.storage.kubernetes.io/is-default-class"


def a(kind, api, notes=None, **more):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "it", "annotations": notes or {}}, **more}


def storage(**notes):
    return a("StorageClass", "storage.k8s.io/v1", notes, provisioner="x")


@pytest.mark.parametrize(
    "obj",
    [
        storage(**{STORAGE: "true", "keep": "k"}),
        storage(**{BETA: "true", "keep": "k"}),
        storage(**{STORAGE: "true", BETA: "true", "keep": "k"}),
        storage(**{VIRT: "true", "keep": "k"}),
        a("IngressClass", "networking.k8s.io/v1", {"ingressclass.kubernetes.io/is-default-class": "true", "keep": "k"}),
        a("VolumeSnapshotClass", "snapshot.storage.k8s.io/v1", {SNAPSHOT: "true", "keep": "k"}, driver="d"),
        a("Unheard", "of.example.com/v1", {"unheard.example.com/is-default-class": "true", "keep": "k"}),
    ],
)
def test_a_mark_goes_and_the_rest_stays(obj):
    before = copy.deepcopy(obj)
    (mark,) = marks(obj)
    after = without_mark(obj, mark)
    assert marks(after) == frozenset()
    assert after == obj | {"metadata": {"name": "it", "annotations": {"keep": "k"}}}
    assert path_of(obj, mark).startswith("/metadata/annotations/")
    assert obj == before


def test_a_priority_class_has_a_field():
    obj = a("PriorityClass", "scheduling.k8s.io/v1", globalDefault=True, value=7)
    (mark,) = marks(obj)
    assert (path_of(obj, mark), without_mark(obj, mark)) == (
        "/globalDefault",
        a("PriorityClass", "scheduling.k8s.io/v1", value=7),
    )


def test_kubectls_copy_has_no_mark_either():
    applied = a("PriorityClass", "scheduling.k8s.io/v1", globalDefault=True, value=7)
    obj = a("PriorityClass", "scheduling.k8s.io/v1", {LAST_APPLIED: json.dumps(applied)}, globalDefault=True, value=7)
    (mark,) = marks(obj)
    assert "globalDefault" not in json.loads(without_mark(obj, mark)["metadata"]["annotations"][LAST_APPLIED])


@pytest.mark.parametrize(
    "obj",
    [
        storage(**{STORAGE: "false"}),
        storage(),
        a("PriorityClass", "scheduling.k8s.io/v1", globalDefault=False),
        a("Class", "example.com/v1", globalDefault=True),
        storage(**{"example.com/is-default": "true", "is-default-class": "true"}),
    ],
)
def test_others_have_none(obj):
    assert marks(obj) == frozenset()


def test_snapshot_classes_of_two_drivers_do_not_rival():
    one, other = (a("VolumeSnapshotClass", "s/v1", {SNAPSHOT: "true"}, driver=each) for each in "ab")
    assert not marks(one) & marks(other)
    both = storage(**{STORAGE: "true", VIRT: "true"})
    assert marks(storage(**{BETA: "true"})) < marks(both)
