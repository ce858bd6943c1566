"""Velero's Backup object, by which Velero reads our backups and we read Velero's (velero.io/v1, Velero 1.18).

The object is stored in `velero-backup.json`. Ours has the digest of the manifest as an annotation, so that the chain of
trust goes metadata → manifest → every file and object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.layout import VELERO_FORMAT
from kubeferry.tasks.core.formats.recipients import AGE
from kubeferry.tasks.core.formats.records import Phase

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from kubeferry.tasks.core.formats.manifest import Manifest
    from kubeferry.tasks.core.jsondoc.edit import Object

MANIFEST_DIGEST = "kubeferry.io/manifest-sha256"
BACKED_UP_BY = "kubeferry.io/version"
ENCRYPTED = "kubeferry.io/encryption"

_TO_VELERO = {Phase.COMPLETED: "Completed", Phase.PARTIAL: "PartiallyFailed", Phase.FAILED: "Failed"}
_FROM_VELERO: dict[str, Phase] = {velero: phase for phase, velero in _TO_VELERO.items()}

# Velero's sync skips backups in these phases (pkg/controller/backup_sync_controller.go, 1.18): so it never offers an
# encrypted backup, which it cannot read, and no restore of it can start and fail half-way.
_SEALED_TO_VELERO = _TO_VELERO | {Phase.COMPLETED: "Finalizing", Phase.PARTIAL: "FinalizingPartiallyFailed"}
_SEALED_FROM_VELERO: dict[str, Phase] = {velero: phase for phase, velero in _SEALED_TO_VELERO.items()}


def backup_object(
    manifest: Manifest, manifest_sha256: str, started: datetime, completed: datetime, expires: datetime | None = None
) -> Object:
    """Return the Backup object for a backup, from its complete manifest; Velero skips an encrypted one.

    After `expires`, if set, Velero's garbage collection deletes the backup, and so does `prune`.
    """
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
            **({"ttl": _ttl(expires - started)} if expires else {}),
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
            **({"expiration": _time(expires)} if expires else {}),
        },
    }


NO_VOLUMES = ("podvolumebackups.json", "volumesnapshots.json", "itemoperations.json", "volumeinfo.json")
"""Velero's optional files that are empty here: the contents of volumes are not backed up."""


def optional_files(manifest: Manifest, kinds: dict[str, str]) -> dict[str, Any]:
    """Return Velero's optional files, name → JSON; `kinds` maps a tarball path to its type."""
    warned = manifest.selection.warnings if manifest.selection else []
    results = {
        level: {"namespaces": {}, "cluster": [f"{each.what}: {each.why}" for each in found]} if found else {}
        for level, found in (("errors", manifest.problems), ("warnings", warned))
    }
    files: dict[str, Any] = {what: [] for what in NO_VOLUMES}
    return files | {"results": results, "resource-list.json": resource_list(manifest, kinds)}


def log_of(manifest: Manifest) -> str:
    """Return Velero's log of a backup: one line per excluded object."""
    return "".join(
        f"{manifest.created:%Y-%m-%dT%H:%M:%SZ} left out {gap.type} {gap.namespace}/{gap.name}: {gap.why}\n"
        for gap in manifest.left_out
    )


def resource_list(manifest: Manifest, kinds: dict[str, str]) -> dict[str, list[str]]:
    """Return Velero's resource list `{"apps/v1/Deployment": ["shop/web"]}`; `kinds` maps a tarball path to its type."""
    listed: dict[str, list[str]] = {}
    for path in manifest.objects:
        _, _, scope, *rest = path.removesuffix(".json").split("/")
        listed.setdefault(kinds[path], []).append("/".join(rest) if scope == "namespaces" else rest[-1])
    return {kind: sorted(names) for kind, names in sorted(listed.items())}


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", defer_build=True, alias_generator=to_camel)


class _Metadata(_Model):
    name: str
    annotations: dict[str, str] | None = None
    labels: dict[str, str] | None = None


SCHEDULE = "velero.io/schedule-name"
"""The label by which Velero names the Schedule that made a backup."""

CHOICE = (
    *("excludedNamespaces", "labelSelector", "orLabelSelectors", "includedResources", "excludedResources"),
    *("includedClusterScopedResources", "excludedClusterScopedResources", "includeClusterResources"),
    *("includedNamespaceScopedResources", "excludedNamespaceScopedResources"),
)
"""The fields of a Backup that choose objects, besides includedNamespaces."""


class _Spec(_Model):
    included_namespaces: list[str] | None = None


class _Progress(_Model):
    items_backed_up: int | None = None


class _Status(_Model):
    version: int | None = None
    format_version: str | None = None
    phase: str | None = None
    start_timestamp: str | None = None
    completion_timestamp: str | None = None
    expiration: str | None = None
    progress: _Progress | None = None
    errors: int | None = None


class _Backup(_Model):
    """The fields of a velero.io/v1 Backup that are read; each may be missing or null, but not of another type."""

    metadata: _Metadata
    spec: _Spec | None = None
    status: _Status | None = None


class Summary:
    """What a list of backups shows of each: read from its Backup object, ours or Velero's."""

    def __init__(self, backup: Any, name: str) -> None:
        """Read a decoded `velero-backup.json`.

        Raises:
            DamagedError: it is not the Backup object of `name`, has a field of a wrong type, or another format.
        """
        found = _checked(backup, name)
        spec, status = found.spec or _Spec(), found.status or _Status()
        annotations = found.metadata.annotations or {}
        self.name = name
        self.encrypted = ENCRYPTED in annotations
        phase = status.phase or "unknown"
        self.phase = str((_SEALED_FROM_VELERO if self.encrypted else _FROM_VELERO).get(phase, phase))
        self.started = status.start_timestamp or ""
        self.completed = status.completion_timestamp or ""
        self.expires = status.expiration or ""
        self.namespaces = spec.included_namespaces or ["*"]
        given = {field: backup["spec"].get(field) for field in CHOICE} if found.spec else {}
        self.choice = orjson.dumps({k: v for k, v in given.items() if v}, option=orjson.OPT_SORT_KEYS).decode()
        """What else chooses the objects of a Velero backup, as JSON; `{}` for nothing."""
        self.schedule = (found.metadata.labels or {}).get(SCHEDULE, "")
        self.items = max(0, (status.progress or _Progress()).items_backed_up or 0)
        self.errors = max(0, status.errors or 0)
        self.tool = "kubeferry" if MANIFEST_DIGEST in annotations else "velero"
        self.manifest_sha256 = annotations.get(MANIFEST_DIGEST)


def _checked(backup: Any, name: str) -> _Backup:
    where = f"backup {name}: velero-backup.json"
    meta = backup.get("metadata") if isinstance(backup, dict) else None
    if not isinstance(meta, dict) or backup.get("kind") != "Backup" or meta.get("name") != name:
        raise DamagedError(f"{where} is not the Backup object of that name")
    try:
        found = _Backup.model_validate(backup)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        at = "/".join(str(part) for part in first["loc"])[:200]
        raise DamagedError(f"{where} is damaged at {at!r}: {first['msg']}") from None
    status = found.status or _Status()
    version = status.format_version or VELERO_FORMAT
    if version.partition(".")[0] != VELERO_FORMAT or status.version not in (None, 0, int(VELERO_FORMAT)):
        raise DamagedError(f"{where} is of format {version[:40]!r}, this Kubeferry reads {VELERO_FORMAT}")
    return found


def _ttl(span: timedelta) -> str:
    """Return a duration as Go writes it: `720h0m0s`."""
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    return f"{minutes // 60}h{minutes % 60}m{seconds}s"


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
