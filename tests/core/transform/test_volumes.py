"""Which storage a volume is, what of claims a backup does not have, and the policy of volumes that are carried."""

import json

import pytest

from kubeferry.tasks.core.transform.strip.storage import was_bound
from kubeferry.tasks.core.transform.volumes import handle_of, is_static, lost_at_backup, reclaim_policy, with_policy

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def volume(notes=None, **spec):
    meta = {"name": "disk"} | ({"annotations": notes} if notes else {})
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta, "spec": spec}


def on(node):
    terms = [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}]
    return {"required": {"nodeSelectorTerms": terms}}


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        (
            {"csi": {"driver": "d", "volumeHandle": "v", "fsType": "ext4"}},
            {"csi": {"driver": "d", "volumeHandle": "v", "readOnly": True, "nodeStageSecretRef": {"name": "s"}}},
            {"csi": {"driver": "e", "volumeHandle": "v"}},
        ),
        (
            {"nfs": {"server": "10.0.0.1", "path": "/a"}},
            {"nfs": {"server": "10.0.0.1", "path": "/a", "readOnly": True}},
            {"nfs": {"server": "10.0.0.1", "path": "/b"}},
        ),
        (
            {"iscsi": {"targetPortal": "10.0.0.1:3260", "iqn": "iqn.2001-04.com.example:disk", "lun": 0}},
            {"iscsi": {"targetPortal": "10.0.0.2:3260", "iqn": "iqn.2001-04.com.example:disk", "lun": 0}},
            {"iscsi": {"targetPortal": "10.0.0.1:3260", "iqn": "iqn.2001-04.com.example:disk", "lun": 1}},
        ),
        (
            {"fc": {"targetWWNs": ["50060e801049cfd1"], "lun": 0}},
            {"fc": {"targetWWNs": ["50060e801049cfd1"], "lun": 0, "fsType": "xfs"}},
            {"fc": {"targetWWNs": ["50060e801049cfd1"], "lun": 2}},
        ),
        (
            {"local": {"path": "/mnt"}, "nodeAffinity": on("a")},
            {"local": {"path": "/mnt", "fsType": "xfs"}, "nodeAffinity": on("a")},
            {"local": {"path": "/mnt"}, "nodeAffinity": on("b")},
        ),
        (
            {"awsElasticBlockStore": {"volumeID": "vol-1"}},
            {"awsElasticBlockStore": {"volumeID": "vol-1", "fsType": "ext4"}},
            {"awsElasticBlockStore": {"volumeID": "vol-2"}},
        ),
        ({"unheardOf": {"id": 1}}, {"unheardOf": {"id": 1}}, {"unheardOf": {"id": 2}}),
    ],
)
def test_the_same_storage_has_the_same_handle(one, same, other):
    more = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "claimRef": {"name": "c"}}
    assert handle_of(volume(**one)) == handle_of(volume(**same, **more)) != ""
    assert handle_of(volume(**other)) not in ("", handle_of(volume(**one)))


@pytest.mark.parametrize("spec", [{"hostPath": {"path": "/data"}}, {"capacity": {"storage": "1Gi"}}, {}, {"csi": {}}])
def test_what_cannot_be_told_is_no_handle(spec):
    assert handle_of(volume(**spec)) == ""


def test_a_policy_changes_in_kubectls_copy_too():
    applied = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "disk"}}
    applied |= {"spec": {"persistentVolumeReclaimPolicy": "Delete"}}
    before = volume({LAST_APPLIED: json.dumps(applied)}, persistentVolumeReclaimPolicy="Delete", csi={})
    after = with_policy(before, "Retain")
    assert (reclaim_policy(before), reclaim_policy(after)) == ("Delete", "Retain")
    copied = json.loads(after["metadata"]["annotations"][LAST_APPLIED])
    assert copied["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert is_static(before)
    assert not is_static(volume({"pv.kubernetes.io/provisioned-by": "d"}))


def claim(phase="Bound", notes=None, **spec):
    meta = {"name": "data", "namespace": "shop", "uid": "u"} | ({"annotations": notes} if notes else {})
    spec = {"resources": {"requests": {"storage": "1Gi"}}} | spec
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec} | {
        "status": {"phase": phase, "capacity": {"storage": "8Gi"}} if phase == "Bound" else {"phase": phase}
    }


SOURCE = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "before-upgrade"}


@pytest.mark.parametrize(
    ("live", "portable", "lost"),
    [
        (claim(), claim(), [("contents-not-saved", "", "8Gi")]),
        (claim("Lost"), claim(), [("contents-not-saved", "", "1Gi")]),
        (claim("Pending"), claim(), []),
        (claim("Pending", dataSource=SOURCE), claim(dataSource=SOURCE), []),
        (claim(volumeName="static"), claim(volumeName="static"), []),
        (
            claim(dataSource=SOURCE, dataSourceRef=SOURCE),
            claim(),
            [
                ("data-source-dropped", "/spec/dataSourceRef", "VolumeSnapshot before"),
                ("contents-not-saved", "", "8Gi"),
            ],
        ),
    ],
)
def test_what_a_backup_does_not_have_of_a_claim(live, portable, lost):
    found = lost_at_backup(live, portable)
    assert [(each.code, each.path, each.object) for each in found] == [
        (code, path, "PersistentVolumeClaim shop/data") for code, path, _ in lost
    ]
    assert all(words in each.why for each, (_, _, words) in zip(found, lost, strict=True))


def test_a_claim_was_bound_by_its_phase_or_by_the_mark_of_the_controller():
    assert was_bound(claim())
    assert was_bound(claim("Pending", {"pv.kubernetes.io/bind-completed": "yes"}))
    assert not was_bound(claim("Pending"))
    assert not was_bound({"metadata": {"name": "data"}})
