"""Volumes and claims: contents that are not saved are named, static storage is kept, and never there twice."""

import json

import orjson
import pytest
import yaml
from tests.support.bench import A, B
from tests.support.velero_archives import store

from kubeferry.tasks.core.errors import PreflightError
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.core.models.options_maintenance import DoctorOptions
from kubeferry.tasks.diff.compare import compared
from kubeferry.tasks.doctor import cluster as doctor

FIRST = {"kind": "PersistentVolumeClaim", "name": "bound"}

CASE_13 = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: standard
  dataSource: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: before-upgrade}
  resources: {requests: {storage: 1Gi}}
"""


def claim(name, size="1Gi", **spec):
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}} | spec
    return json.dumps({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec})


def volume(name, handle, policy="Delete"):
    source = {"driver": "disks.example.com", "volumeHandle": handle}
    spec = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "storageClassName": "", "csi": source}
    meta = {"name": name}
    body = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta}
    return json.dumps(body | {"spec": spec | {"persistentVolumeReclaimPolicy": policy}})


def losses(result):
    return [(each.object.removeprefix("PersistentVolumeClaim "), each.code, each.why) for each in result.losses]


@pytest.fixture(scope="module")
def filled(bench):
    """A namespace with a bound claim of 2Gi, and that of case 13: namespace and backup."""
    ns = bench.namespace()
    bench.make(claim("big", "2Gi", storageClassName="standard"), ns)
    bench.make(CASE_13, ns)
    for name in ("big", "data"):
        bench.ready("PersistentVolumeClaim", ns, name)
    return ns, bench.backup(ns)


def test_a_backup_names_the_claims_whose_contents_it_does_not_have(filled):
    ns, saved = filled
    source = "VolumeSnapshot before-upgrade"
    assert saved.phase == "Completed"
    assert losses(saved) == [
        (f"{ns}/big", "contents-not-saved", "contents of its volume are not saved (2Gi)"),
        (f"{ns}/data", "contents-not-saved", "contents of its volume are not saved (1Gi)"),
        (
            f"{ns}/data",
            "data-source-dropped",
            f"saved without its source, {source}: the claim was filled from it before, and a restore would wait for it",
        ),
    ]


def test_case_13_stale_datasource(bench, filled):
    """The claim is provisioned anew; that it and the other one come back empty is in the result, once each."""
    ns, saved = filled
    copy = bench.name()
    result = bench.restore(saved, map={ns: copy})
    live = bench.ready("PersistentVolumeClaim", copy, "data", B)
    assert not {"dataSource", "dataSourceRef"} & live["spec"].keys()
    empty = "contents of volumes are not in a backup"
    assert result.phase == "Completed"
    assert [each[:2] for each in losses(result)] == [
        (f"{copy}/big", "comes-back-empty"),
        (f"{copy}/data", "comes-back-empty"),
        (f"{copy}/data", "data-source-dropped"),
    ]
    assert losses(result)[0][2] == f"comes back empty (2Gi): {empty}"
    bench.delete("PersistentVolumeClaim", copy, "data", B)
    again = bench.restore(saved, map={ns: copy})
    assert [each[:2] for each in losses(again)] == [
        (f"{copy}/data", "comes-back-empty"),
        (f"{copy}/data", "data-source-dropped"),
    ]


def test_a_claim_that_is_not_bound_keeps_its_source_and_has_no_contents(bench):
    ns = bench.namespace()
    bench.make(claim("first", storageClassName="on-demand"), ns)
    source = {"apiGroup": None, "kind": "PersistentVolumeClaim", "name": "first"}
    bench.make(claim("second", storageClassName="on-demand", dataSource=source), ns)
    saved = bench.backup(ns)
    result = bench.restore(saved)
    assert (result.phase, saved.losses, result.losses) == ("Completed", [], [])
    assert bench.get("PersistentVolumeClaim", ns, "second", B)["spec"]["dataSource"] == source


def test_case_13_stale_datasource_in_an_archive_of_velero(bench):
    """It holds claims as they were: the bound one comes without its source, the other one with it."""
    ns = bench.namespace(context=B)
    files = []
    for name, phase in (("bound", "Bound"), ("waits", "Pending")):
        obj = yaml.safe_load(CASE_13.replace("standard", "on-demand"))
        obj["metadata"] = {"name": name, "namespace": ns, "uid": f"uid-of-{name}"}
        obj["spec"] |= {"volumeName": "pvc-1"} if phase == "Bound" else {"dataSource": FIRST}
        obj["status"] = {"phase": phase, "capacity": {"storage": "5Gi"}}
        files.append((f"resources/persistentvolumeclaims/namespaces/{ns}/{name}.json", orjson.dumps(obj)))
    result = bench.restore(store(bench, files))
    assert [each[:2] for each in losses(result)] == [
        (f"{ns}/bound", "comes-back-empty"),
        (f"{ns}/bound", "data-source-dropped"),
    ]
    assert result.phase == "Completed"
    assert "dataSource" not in bench.get("PersistentVolumeClaim", ns, "bound", B)["spec"]
    assert bench.get("PersistentVolumeClaim", ns, "waits", B)["spec"]["dataSource"]["name"] == "bound"


def test_the_commands_print_it(bench, filled, kubeferry):
    ns, saved = filled
    _, shown, _ = kubeferry("show", saved.name, "--store", bench.where["store"])
    assert f"PersistentVolumeClaim {ns}/big" in shown
    assert "contents of its volume are not saved (2Gi)" in shown
    _, planned, _ = kubeferry("plan", saved.name, "--store", bench.where["store"])
    assert "comes back empty (2Gi)" in planned


def test_doctor_counts_the_claims_with_contents(bench, filled):
    ns, _ = filled
    asked = DoctorOptions(context=A, kubeconfig=bench.where["kubeconfig"], namespaces=[ns], store=bench.where["store"])
    found = doctor.volumes(asked)
    assert (found.level.value, found.found) == (
        "ok",
        "contents of volumes are not saved: 2 bound claims, 3Gi; save them by other means",
    )


@pytest.fixture(scope="module")
def static(bench):
    """A namespace with a claim of a volume that nobody provisioned: namespace, volume and backup."""
    ns = bench.namespace()
    bench.make(volume(ns, f"disk-of-{ns}"))
    bench.make(claim("kept", storageClassName="", volumeName=ns), ns)
    bench.ready("PersistentVolumeClaim", ns, "kept")
    return ns, bench.backup(ns)


def test_a_static_volume_comes_with_its_contents_and_is_retained(bench, static):
    ns, saved = static
    assert saved.losses == []
    result = bench.restore(saved)
    bench.forget("PersistentVolume", ns)
    assert [(each.object, each.path, each.code) for each in result.losses] == [
        (f"PersistentVolume {ns}", "/spec/persistentVolumeReclaimPolicy", "reclaim-retained")
    ]
    live = bench.get("PersistentVolume", "", ns, B)
    assert live["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert bench.ready("PersistentVolumeClaim", ns, "kept", B)["spec"]["volumeName"] == ns
    assert result.phase == "Completed"
    again = bench.restore(saved)
    assert (again.losses, set(again.actions)) == ([], {"unchanged"})
    asked = {"backup": saved.name, "store": bench.where["store"], "kubeconfig": bench.where["kubeconfig"]}
    for context in (A, B):
        assert compared(RestoreOptions(**asked, context=context), "").objects == []


def test_where_the_volume_is_there_already_it_stays_as_it_is(bench, static):
    ns, saved = static
    result = bench.restore(saved, context=A)
    assert (result.losses, set(result.actions)) == ([], {"unchanged"})
    assert bench.get("PersistentVolume", "", ns)["spec"]["persistentVolumeReclaimPolicy"] == "Delete"


def test_the_same_storage_is_never_there_twice(bench):
    """Neither beside its original, nor where a volume of another name has it."""
    ns = bench.namespace()
    bench.make(volume(ns, f"disk-of-{ns}", "Retain"))
    bench.make(claim("kept", storageClassName="", volumeName=ns), ns)
    bench.ready("PersistentVolumeClaim", ns, "kept")
    saved = bench.backup(ns)
    with pytest.raises(PreflightError) as caught:
        bench.restore(saved, context=A, map={ns: bench.name()})
    assert caught.value.problems == [f"PersistentVolume {ns} is bound to claim {ns}/kept already"]
    other = f"{ns}-other"
    bench.make(volume(other, f"disk-of-{ns}"), context=B)
    with pytest.raises(PreflightError) as caught:
        bench.restore(saved)
    same = f"is the same storage as PersistentVolume {other}, which is there"
    assert caught.value.problems == [f"PersistentVolume {ns} {same}: two volumes of one storage destroy its data"]
    assert bench.find("Namespace", "", ns, B) is None
