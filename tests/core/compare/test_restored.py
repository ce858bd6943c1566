"""A restored namespace beside its original: what is explained, and above all what is not."""

import copy

import pytest

from kubeferry.tasks.core.compare.restored import WHOLE, findings, grouped
from kubeferry.tasks.core.kube.objects import Ref

NAMES = {"shop": "copy"}
CONTROLLER = {"controller": True, "blockOwnerDeletion": True}


def obj(kind, name, namespace="shop", api="v1", owner=None, **rest):
    meta = {"name": name, "namespace": namespace, "uid": f"{kind}-{name}-{namespace}", "resourceVersion": "1"}
    if owner:
        meta["ownerReferences"] = [
            {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"]}
            | {"uid": owner["metadata"]["uid"]}
            | CONTROLLER
        ]
    if not namespace:
        del meta["namespace"]
    return {"apiVersion": api, "kind": kind, "metadata": meta, **rest}


def side(namespace, suffix="x"):
    """A namespace as a controller leaves it: a Deployment with its ReplicaSet and Pod, and a claim with its volume."""
    web = obj("Deployment", "web", namespace, "apps/v1", spec={"replicas": 1})
    many = obj("ReplicaSet", "web-123", namespace, "apps/v1", owner=web)
    pod = obj("Pod", f"web-123-{suffix}", namespace, owner=many)
    claim = obj("PersistentVolumeClaim", "data", namespace, spec={"volumeName": f"pvc-{suffix}"})
    volume = obj("PersistentVolume", f"pvc-{suffix}", "", spec={"claimRef": {"namespace": namespace, "name": "data"}})
    volume["metadata"]["annotations"] = {"pv.kubernetes.io/provisioned-by": "kwok"}
    settings = obj("ConfigMap", "settings", namespace, data={"colour": "red"})
    return by_ref(web, many, pod, claim, volume, settings)


def by_ref(*objects):
    return {Ref.of(each): each for each in objects}


@pytest.fixture
def original():
    return side("shop", "x")


@pytest.fixture
def restored():
    return side("copy", "y")


def unexplained(original, restored, left_out=()):
    found = findings(original, restored, NAMES, dict(left_out))
    return [(str(each.ref), each.field) for each in found if each.why is None]


def test_a_faithful_copy_is_explained_whole(original, restored):
    found = findings(original, restored, NAMES, {})
    assert {each.why for each in found if each.field == WHOLE} == {
        "each side's ReplicaSet creates its own",
        "each side's claim has its own volume",
    }
    assert [each for each in found if each.why is None] == []
    assert found == sorted(found, key=lambda each: (each.ref, each.field))


def test_a_changed_value_is_not_explained(original, restored):
    restored[Ref("", "ConfigMap", "copy", "settings")]["data"]["colour"] = "blue"
    assert unexplained(original, restored) == [("ConfigMap shop/settings", "data.colour")]


def test_a_reference_to_another_owner_is_not_explained(original, restored):
    many = restored[Ref("apps", "ReplicaSet", "copy", "web-123")]
    many["metadata"]["ownerReferences"][0]["uid"] = "neither the old one nor the new one"
    assert unexplained(original, restored) == [("ReplicaSet.apps shop/web-123", "metadata.ownerReferences[0].uid")]


def test_a_reference_that_was_not_re_linked_is_a_fault_though_it_is_no_difference(original, restored):
    """Beside the original the old owner is still there, and the reference looks as good as new."""
    many = restored[Ref("apps", "ReplicaSet", "copy", "web-123")]
    many["metadata"]["ownerReferences"][0]["uid"] = "Deployment-web-shop"
    assert unexplained(original, restored) == [("ReplicaSet.apps shop/web-123", "metadata.ownerReferences[0].uid")]


def test_an_object_under_its_old_namespace_is_missing_and_one_too_many(original, restored):
    del restored[Ref("", "ConfigMap", "copy", "settings")]
    restored |= by_ref(obj("ConfigMap", "settings", "elsewhere", data={"colour": "red"}))
    assert unexplained(original, restored) == [
        ("ConfigMap elsewhere/settings", WHOLE),
        ("ConfigMap shop/settings", WHOLE),
    ]


def test_a_missing_object_is_explained_only_by_its_own_reason(original, restored):
    lost = Ref("", "ConfigMap", "shop", "settings")
    del restored[Ref("", "ConfigMap", "copy", "settings")]
    assert unexplained(original, restored) == [(str(lost), WHOLE)]
    assert unexplained(original, restored, {lost: "labelled kubeferry.io/exclude=true"}.items()) == []


def test_what_a_lost_controller_made_is_not_explained_by_it(original, restored):
    """A Deployment that was not restored makes nothing: each of its objects is missing too."""
    for ref in [each for each in restored if each.name.startswith("web")]:
        del restored[ref]
    assert [ref for ref, _ in unexplained(original, restored)] == [
        "Pod shop/web-123-x",
        "Deployment.apps shop/web",
        "ReplicaSet.apps shop/web-123",
    ]


def test_a_pod_that_nobody_makes_is_one_too_many(original, restored):
    restored |= by_ref(obj("Pod", "stray", "copy"))
    assert unexplained(original, restored) == [("Pod copy/stray", WHOLE)]


def test_a_volume_that_was_not_provisioned_is_not_explained(original, restored):
    gone = restored.pop(Ref("", "PersistentVolume", "", "pvc-y"))
    del gone["metadata"]["annotations"]
    assert unexplained(original, restored | by_ref(gone)) == [("PersistentVolume pvc-y", WHOLE)]


def test_a_binding_is_looked_for_under_the_name_of_its_copy():
    def binding(name, namespace):
        subject = {"kind": "ServiceAccount", "name": "api", "namespace": namespace}
        return obj("ClusterRoleBinding", name, "", "rbac.authorization.k8s.io/v1", subjects=[subject])

    before = by_ref(binding("reads", "shop"))
    assert unexplained(before, by_ref(binding("reads-copy", "copy"))) == []
    assert len(unexplained(before, by_ref(binding("reads", "copy")))) == 2


def test_a_secret_is_compared_and_not_shown():
    before, after = (
        by_ref(obj("Secret", "key", ns, data={"key": value})) for ns, value in (("shop", "b25l"), ("copy", "dHdv"))
    )
    (found,) = [each for each in findings(before, after, NAMES, {}) if each.why is None]
    assert found.field == "data.key"
    assert not {"b25l", "dHdv"} & set(found.text.split())
    assert "not shown" in found.text


def test_inputs_survive(original, restored):
    before = copy.deepcopy((original, restored))
    findings(original, restored, NAMES, {})
    assert (original, restored) == before


def test_groups_count_each_comparison_and_begin_with_what_is_not_explained(original, restored):
    other = copy.deepcopy(restored)
    other[Ref("", "ConfigMap", "copy", "settings")]["data"]["colour"] = "blue"
    groups = grouped(findings(original, each, NAMES, {}) for each in (restored, other))
    assert (groups[0].field, groups[0].why, groups[0].kinds, groups[0].counts) == (
        "data.colour",
        None,
        ("ConfigMap",),
        (0, 1),
    )
    assert all(each.why for each in groups[1:])
    total = sum(sum(each.counts) for each in groups)
    assert total == sum(len(findings(original, each, NAMES, {})) for each in (restored, other))
    (mapped,) = [each for each in groups if each.field == "metadata.namespace"]
    assert mapped.counts == (4, 4)
    assert mapped.kinds == ("ConfigMap", "Deployment.apps", "PersistentVolumeClaim", "ReplicaSet.apps")
