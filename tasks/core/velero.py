"""Velero's Backup object, by which Velero takes our backups in and we take in Velero's (velero.io/v1, Velero 1.18).

The object stands in `velero-backup.json`. Ours carries the digest of our manifest as an annotation, so that the chain
of trust goes metadata → manifest → every file and object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.core.errors import DamagedError
from tasks.core.layout import VELERO_FORMAT
from tasks.core.manifest import Phase
from tasks.core.recipients import AGE

if TYPE_CHECKING:
    from datetime import datetime

    from tasks.core.manifest import Manifest
    from tasks.core.objects import Object

MANIFEST_DIGEST = "kubeferry.io/manifest-sha256"
BACKED_UP_BY = "kubeferry.io/version"
ENCRYPTED = "kubeferry.io/encryption"

_TO_VELERO = {Phase.COMPLETED: "Completed", Phase.PARTIAL: "PartiallyFailed", Phase.FAILED: "Failed"}
_FROM_VELERO: dict[str, Phase] = {told: phase for phase, told in _TO_VELERO.items()}

# Velero's sync passes over backups of these phases (pkg/controller/backup_sync_controller.go, 1.18): one that it cannot
# read is never offered by it, and no restore of it can be begun that would fail half-way.
_SEALED_TO_VELERO = _TO_VELERO | {Phase.COMPLETED: "Finalizing", Phase.PARTIAL: "FinalizingPartiallyFailed"}
_SEALED_FROM_VELERO: dict[str, Phase] = {told: phase for phase, told in _SEALED_TO_VELERO.items()}


def backup_object(manifest: Manifest, manifest_sha256: str, started: datetime, completed: datetime) -> Object:
    """Return the Backup object of one of our backups, of its whole manifest; Velero passes over an encrypted one."""
    total = len(manifest.objects)
    annotations = {MANIFEST_DIGEST: manifest_sha256, BACKED_UP_BY: manifest.kubeferry}
    phases = _SEALED_TO_VELERO if manifest.encryption else _TO_VELERO
    return {
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": {
            "name": manifest.name,
            "namespace": "velero",
            "labels": {"velero.io/storage-location": "default"},
            "annotations": annotations | ({ENCRYPTED: AGE} if manifest.encryption else {}),
            "creationTimestamp": _time(started),
        },
        "spec": {
            "includedNamespaces": manifest.namespaces,
            "snapshotVolumes": False,
            "storageLocation": "default",
            "hooks": {},
            "metadata": {},
        },
        "status": {
            "version": 1,
            "formatVersion": VELERO_FORMAT,
            "phase": phases[manifest.phase],
            "startTimestamp": _time(started),
            "completionTimestamp": _time(completed),
            "progress": {"totalItems": total, "itemsBackedUp": total},
            "errors": len(manifest.problems),
        },
    }


def resource_list(manifest: Manifest, kinds: dict[str, str]) -> dict[str, list[str]]:
    """Return Velero's list of `{"apps/v1/Deployment": ["shop/web"]}`; `kinds` maps a tarball path to its type."""
    listed: dict[str, list[str]] = {}
    for path in manifest.objects:
        _, _, scope, *rest = path.removesuffix(".json").split("/")
        listed.setdefault(kinds[path], []).append("/".join(rest) if scope == "namespaces" else rest[-1])
    return {kind: sorted(names) for kind, names in sorted(listed.items())}


class Summary:
    """What a list of backups shows of one: read from its Backup object, ours or Velero's."""

    def __init__(self, backup: Any, name: str) -> None:
        """Read a decoded `velero-backup.json`.

        Raises:
            DamagedError: it is not the Backup object of `name`.
        """
        meta = backup.get("metadata") if isinstance(backup, dict) else None
        if not isinstance(meta, dict) or backup.get("kind") != "Backup" or meta.get("name") != name:
            raise DamagedError(f"backup {name}: velero-backup.json is not the Backup object of that name")
        status, spec, annotations = _map(backup, "status"), _map(backup, "spec"), _map(meta, "annotations")
        namespaces = spec.get("includedNamespaces")
        self.name = name
        self.encrypted = ENCRYPTED in annotations
        told = str(status.get("phase") or "unknown")
        self.phase = str((_SEALED_FROM_VELERO if self.encrypted else _FROM_VELERO).get(told, told))
        self.started = str(status.get("startTimestamp") or "")
        self.completed = str(status.get("completionTimestamp") or "")
        self.expires = str(status.get("expiration") or "")
        self.namespaces = [str(each) for each in namespaces] if namespaces and isinstance(namespaces, list) else ["*"]
        self.items = _count(_map(status, "progress").get("itemsBackedUp"))
        self.errors = _count(status.get("errors"))
        self.tool = "kubeferry" if MANIFEST_DIGEST in annotations else "velero"
        self.manifest_sha256 = annotations.get(MANIFEST_DIGEST)


def _map(value: dict[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value >= 0 else 0


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
