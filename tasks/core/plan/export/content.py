"""What of an object is kept in Git: what its author decides, and nothing that a cluster assigns or a tool notes.

The input is an object of a plan: what a restore would create. Its uid and managed fields are gone
already, and so is a status that is no plain data.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import GONE, change
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object

NOTES = (LAST_APPLIED, "deployment.kubernetes.io/revision")
"""Annotations in which a tool or a controller keeps a note for itself: `kubectl apply`, the Deployment controller."""

ASSIGNED = ("creationTimestamp", "generation", "managedFields", "ownerReferences", "resourceVersion", "selfLink", "uid")
"""Fields of metadata that the API server sets; a uid of an owner is of one cluster."""


def exported(obj: Object) -> Object:
    """Return an object as it is kept in Git: without assigned metadata and notes, keys in order."""
    for note in NOTES:
        obj = change(obj, ("metadata", "annotations", note), lambda _: GONE)
    for field in ASSIGNED:
        obj = change(obj, ("metadata", field), lambda _: GONE)
    obj = change(obj, ("metadata", "finalizers"), partial(_of_others, str(obj.get("kind"))))
    if obj["metadata"].get("annotations") == {}:
        obj = change(obj, ("metadata", "annotations"), lambda _: GONE)
    return _in_order(obj)


DELETING = ("foregroundDeletion", "orphan")
"""Finalizers of an object that is being deleted."""

PROTECTION = {
    "kubernetes.io/pvc-protection": "PersistentVolumeClaim",
    "kubernetes.io/pv-protection": "PersistentVolume",
}
"""Finalizers that Kubernetes sets again, each with its kind (kubernetes.io, Finalizers)."""


def _of_others(kind: str, found: Any) -> Any:
    if not isinstance(found, list):
        return found
    kept = [each for each in found if each not in DELETING and PROTECTION.get(str(each)) != kind]
    return found if kept == found else kept or GONE


_CONTROL = re.compile("[\x7f-\x9f\ufffe\uffff]")
"""Characters that Go's YAML refuses where they are not escaped, or reads as a line break (go-yaml, readerc.go).
Kustomize and the API server's server-side apply pass JSON, which does not escape them, to that reader."""


def control_character(value: Any) -> str:
    """Return a character of an object that Kustomize and server-side apply cannot take, as `U+007F`; "" for none."""
    if isinstance(value, str):
        found = _CONTROL.search(value)
        return f"U+{ord(found[0]):04X}" if found else ""
    inside = (part for pair in value.items() for part in pair) if isinstance(value, dict) else value
    return next(filter(None, map(control_character, inside)), "") if isinstance(value, dict | list) else ""


def not_for_kustomize(obj: Object) -> str:
    """Return why Kustomize cannot read an object, "" if it can.

    It writes an annotation of several lines that begins with a tab in a way that it cannot read itself (kustomize 5.7,
    found by trying all such texts of up to four characters; the same text in data is no problem).
    """
    character = control_character(obj)
    if character:
        return f"holds the character {character}"
    notes = obj["metadata"].get("annotations") or {}
    odd = next((key for key, text in notes.items() if str(text).startswith("\t") and "\n" in str(text)), "")
    return f"has an annotation of several lines that begins with a tab ({odd})" if odd else ""


FIRST = {"apiVersion": 0, "kind": 1, "metadata": 2, "type": 3}
"""Keys of an object that people read first; the others follow in alphabetical order."""


def _in_order(obj: Object) -> Object:
    keys = sorted(obj, key=lambda key: (FIRST.get(key, len(FIRST)), key))
    return {key: _sorted(obj[key]) for key in keys}


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(each) for each in value]
    return value
