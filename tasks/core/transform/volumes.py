"""What a PersistentVolume is on its storage, what of it changes where it is carried, and what a claim comes without.

A volume that nobody provisioned (static) stands for storage that was there before: with any other reclaim policy than
Retain, deleting its claim, as a rollback does, would delete what is on it. Two volumes of one cluster with the same
storage destroy what is on it.

A claim was filled from its data source when it was provisioned. The source of a bound one may be gone, and the contents
of its volume are not in a backup.

Source: kubernetes.io, Persistent Volumes (types, reclaim policy, data sources); the API reference of
PersistentVolumeSpec.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED, as_kubectl, parsed
from kubeferry.tasks.core.kube.objects import Ref, annotations_of
from kubeferry.tasks.core.transform.strip.storage import SOURCES, was_bound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object

PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
RETAIN = "Retain"

NO_SOURCE = frozenset(
    {
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    }
)
"""Fields of a volume's spec that are no type of storage; of the others, it has one."""

IDENTITY: Mapping[str, tuple[str, ...]] = {
    "csi": ("driver", "volumeHandle"),
    "nfs": ("server", "path"),
    "iscsi": ("iqn", "lun"),
    "fc": ("targetWWNs", "lun", "wwids"),
    "local": ("path",),
    "hostPath": ("path",),
    "awsElasticBlockStore": ("volumeID", "partition"),
    "gcePersistentDisk": ("pdName", "partition"),
    "azureDisk": ("diskURI",),
    "azureFile": ("shareName", "secretName", "secretNamespace"),
    "cephfs": ("monitors", "path"),
    "rbd": ("monitors", "pool", "image"),
    "cinder": ("volumeID",),
    "vsphereVolume": ("volumePath",),
    "glusterfs": ("endpoints", "endpointsNamespace", "path"),
    "portworxVolume": ("volumeID",),
    "photonPersistentDisk": ("pdID",),
    "quobyte": ("registry", "volume", "tenant"),
    "scaleIO": ("gateway", "system", "volumeName"),
    "storageos": ("volumeName", "volumeNamespace"),
    "flexVolume": ("driver", "options"),
}
"""Type of storage → the fields that say which storage it is; of a type that is not here, all fields."""

BY_NODE = frozenset({"local", "hostPath"})
"""Types whose storage is on a node: on another node, the same path is other storage."""

Handle = str


def is_static(volume: Object) -> bool:
    """Return whether nobody provisioned a volume for a claim."""
    return PROVISIONED_BY not in annotations_of(volume)


def handle_of(volume: Object) -> Handle:
    """Return which storage a volume is, equal for two volumes of the same; "" where that cannot be said.

    A path on a node that the volume does not name is none: it is other storage on each node.
    """
    spec = volume.get("spec")
    kind = next((key for key in spec if key not in NO_SOURCE and isinstance(spec[key], dict)), "") if spec else ""
    if not kind or not isinstance(spec, dict):
        return ""
    source = spec[kind]
    chosen = {key: source.get(key) for key in IDENTITY.get(kind, sorted(source))}
    where = get(spec, "nodeAffinity", "required") if kind in BY_NODE else None
    if (kind in BY_NODE and where is None) or not any(chosen.values()):
        return ""
    return json.dumps([kind, chosen, where], sort_keys=True)


def reclaim_policy(volume: Object) -> str:
    """Return the reclaim policy of a volume; by default it is Retain, of a provisioned one that of its class."""
    policy = get(volume, "spec", "persistentVolumeReclaimPolicy")
    return policy if isinstance(policy, str) else RETAIN


def with_policy(volume: Object, policy: str) -> Object:
    """Return a volume with a reclaim policy, in kubectl's copy too."""
    made = _with(volume, policy)
    applied = parsed(annotations_of(volume).get(LAST_APPLIED))
    if applied is None or get(applied, "spec", "persistentVolumeReclaimPolicy") is None:
        return made
    meta: dict[str, Any] = made["metadata"]
    notes = meta["annotations"] | {LAST_APPLIED: as_kubectl(_with(applied, policy))}
    return made | {"metadata": meta | {"annotations": notes}}


def _with(volume: Object, policy: str) -> Object:
    return volume | {"spec": volume["spec"] | {"persistentVolumeReclaimPolicy": policy}}


CLAIM, VOLUME = ("", "PersistentVolumeClaim"), ("", "PersistentVolume")


UNKNOWN_SIZE = "of unknown size"


def size_of(claim: Object) -> str:
    """Return the size of a claim as Kubernetes writes it, `8Gi`: what it has, else what it asks for."""
    size = get(claim, "status", "capacity", "storage") or get(claim, "spec", "resources", "requests", "storage")
    return size if isinstance(size, str) else UNKNOWN_SIZE


def source_of(claim: Object) -> str:
    """Return the kind and name of what a claim is to be filled from, "" for nothing."""
    for field in SOURCES:
        kind, name = get(claim, "spec", field, "kind"), get(claim, "spec", field, "name")
        if isinstance(kind, str) and isinstance(name, str):
            return f"{kind} {name}"
    return ""


def lost_source(live: Object, portable: Object) -> list[Loss]:
    """Return the loss of a claim that is saved without its source."""
    before = source_of(live)
    if not before or source_of(portable):
        return []
    at = next(field for field in SOURCES if get(live, "spec", field) is not None)
    return [Loss.of(Ref.of(live), LossCode.SOURCE_DROPPED, before, path=f"/spec/{at}")]


def lost_at_backup(live: Object, portable: Object) -> list[Loss]:
    """Return what a backup does not have of a live claim: its source, and its contents unless its volume is carried."""
    found = lost_source(live, portable)
    if was_bound(live) and not get(portable, "spec", "volumeName"):
        found.append(Loss.of(Ref.of(live), LossCode.CONTENTS_NOT_SAVED, size_of(live)))
    return found
