"""What an archive keeps of an object that a restore writes apart from it: its status, and the finalizers of others.

Status: where a kind has the status subresource, the API server ignores it at create, and a controller writes its own;
where it has none, status is data like spec (kubernetes.io: Custom Resources, status subresource). Finalizers: those of
Kubernetes are added again by whoever removes them; others belong to a controller that the target may not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import values
from kubeferry.tasks.core.transform.strip.portable import SAFE_FINALIZERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType

RESTORE_STATUS = "velero.io/restore-status"
"""Velero's annotation of an object whose status is restored (velero.io: Restore Status)."""

KUBERNETES = ("kubernetes.io", "k8s.io")
COLLECTOR = frozenset({"foregroundDeletion", "orphan"})
"""Finalizers that the garbage collector works by (kubernetes.io: Owners and Dependents)."""


def with_apart(portable: Object, live: Object) -> Object:
    """Return a portable object with the status and the finalizers of the live one, as an archive keeps it."""
    finalizers = finalizers_of(live)
    status = live.get("status")
    if finalizers:
        kept = [*(portable["metadata"].get("finalizers") or ()), *finalizers]
        portable = portable | {"metadata": portable["metadata"] | {"finalizers": kept}}
    return portable | ({"status": status} if isinstance(status, dict) and status else {})


def finalizers_of(obj: Object) -> tuple[str, ...]:
    """Return the finalizers that are not Kubernetes' own."""
    found = obj["metadata"].get("finalizers")
    return tuple(each for each in found if is_foreign(each)) if isinstance(found, list) else ()


def is_foreign(finalizer: Any) -> bool:
    """Return whether a finalizer is that of a controller outside of Kubernetes."""
    if not isinstance(finalizer, str) or not finalizer or finalizer in SAFE_FINALIZERS or finalizer in COLLECTOR:
        return False
    domain = finalizer.partition("/")[0]
    return not any(domain == own or domain.endswith(f".{own}") for own in KUBERNETES)


def is_plain_status(kind: ResourceType) -> bool:
    """Return whether status is plain data of a type: it has no status subresource."""
    return "status" not in kind.subresources


def plain_statuses(definition: Object) -> Iterator[str]:
    """Yield the versions of a CRD in which status is plain data, as `GROUP/VERSION/KIND`."""
    spec: Mapping[str, Any] = definition.get("spec") or {}
    names = spec.get("names") or {}
    for version in values(definition, "spec.versions[]"):
        if isinstance(version, dict) and "status" not in (version.get("subresources") or {}):
            yield f"{spec.get('group')}/{version.get('name')}/{names.get('kind')}"
