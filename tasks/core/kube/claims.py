"""The StorageClass that a claim or a volume names: in a field, or in the annotation that was there before it.

Source: kubernetes.io, Persistent Volumes, Class; component-helpers, storage/volume, GetPersistentVolumeClaimClass: the
annotation takes precedence, and an empty text is no class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import get

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object

CLASS = "volume.beta.kubernetes.io/storage-class"
"""The annotation that set a claim's class before `spec.storageClassName`."""

CLASS_FIELD = "spec.storageClassName"


def class_annotation(claim: Any) -> str | None:
    """Return the class that the annotation of a claim, a claim's template or a volume names; None without it."""
    named = get(claim, "metadata", "annotations", CLASS)
    return named if isinstance(named, str) else None


def class_of(claim: Object) -> str | None:
    """Return the class of a claim or a volume, "" for no class; None where the cluster's default class counts."""
    named = class_annotation(claim)
    field = get(claim, "spec", "storageClassName") if named is None else named
    return field if isinstance(field, str) else None
