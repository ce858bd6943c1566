"""What is left to its controller, and how owners are linked again."""

import pytest

from kubeferry.tasks.core.formats.links import Links, Owner, owner_ref
from kubeferry.tasks.core.kube.kinds import REBUILT
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.ownership import recreated_by, relinked


def owner(group, kind, name="web", *, controller=True, block=None, uid="old"):
    return Owner(f"{group}/v1" if group else "v1", kind, name, uid, controller, block)


ROWS = [(child, maker) for child, makers in REBUILT.items() for maker in makers]


@pytest.mark.parametrize(("child", "maker"), ROWS)
def test_each_row_is_left_to_its_maker(child, maker):
    ref, links = Ref(*child, "shop", "web-1"), Links(owners=(owner(*maker),))
    there = Ref(*maker, "shop", "web")
    assert recreated_by(ref, links, {there}) == there
    assert recreated_by(ref, links, set()) is None, "a maker that is not restored makes nothing"
    assert recreated_by(ref, links, {Ref(*maker, "bank", "web")}) is None, "nor one of another namespace"
    assert recreated_by(ref, Links(), {there}) is None


def test_kinds_that_kubernetes_remakes_are_in_the_table():
    """Spelled out: a typing error in the table would restore what a controller makes too."""
    assert {f"{kind}.{group} {maker}.{of}" for (group, kind), makers in REBUILT.items() for of, maker in makers} == {
        "ReplicaSet.apps Deployment.apps",
        "ControllerRevision.apps StatefulSet.apps",
        "ControllerRevision.apps DaemonSet.apps",
        "Job.batch CronJob.batch",
        "Pod. ReplicaSet.apps",
        "Pod. StatefulSet.apps",
        "Pod. DaemonSet.apps",
        "Pod. Job.batch",
        "Pod. ReplicationController.",
        "EndpointSlice.discovery.k8s.io Service.",
        "EndpointSlice.discovery.k8s.io Endpoints.",
    }


@pytest.mark.parametrize(
    ("child", "links"),
    [
        (("", "Secret"), Links(owners=(owner("apps", "Deployment"),))),
        (("", "PersistentVolumeClaim"), Links(owners=(owner("apps", "StatefulSet"),))),
        (("example.com", "Thing"), Links(owners=(owner("apps", "Deployment"),))),
        (("apps", "ReplicaSet"), Links(owners=(owner("example.com", "Deployment"),))),
        (("apps", "ReplicaSet"), Links(owners=(owner("apps", "Deployment", controller=False),))),
        (("apps", "ReplicaSet"), Links(owners=(owner("apps", "Deployment", controller=None),))),
        (("", "Pod"), Links(owners=(owner("example.com", "Thing"),))),
    ],
)
def test_what_holds_state_or_has_another_owner_is_restored(child, links):
    there = {owner_ref(each, "shop") for each in links.owners}
    assert recreated_by(Ref(*child, "shop", "web-1"), links, there) is None


def test_the_controller_is_found_among_other_owners():
    links = Links(owners=(owner("", "ConfigMap", "c", controller=None), owner("apps", "ReplicaSet", "web-1")))
    there = {Ref("", "ConfigMap", "shop", "c"), Ref("apps", "ReplicaSet", "shop", "web-1")}
    assert recreated_by(Ref("", "Pod", "shop", "web-1-x"), links, there) == Ref("apps", "ReplicaSet", "shop", "web-1")


def test_owners_get_their_new_uids_and_keep_their_flags():
    owners = [owner("apps", "Deployment", block=True), owner("", "ConfigMap", "c", controller=None, block=False)]
    references, missing = relinked(owners, lambda each: f"new-{each.name}")
    assert references == [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "web",
            "uid": "new-web",
            "controller": True,
            "blockOwnerDeletion": True,
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "new-c", "blockOwnerDeletion": False},
    ]
    assert missing == []


def test_an_owner_that_is_not_there_is_left_out_and_reported():
    """A reference to a uid that does not exist makes the garbage collector delete the object."""
    gone, there = owner("apps", "Deployment", "gone"), owner("apps", "Deployment", "there")
    references, missing = relinked([gone, there], lambda each: {"there": "new"}.get(each.name))
    assert [each["name"] for each in references] == ["there"]
    assert missing == [gone]
    assert "old" not in str(references)
