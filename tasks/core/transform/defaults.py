"""Take the mark of a default from a class that comes where there is one: a cluster has one default of each kind.

A cluster with two defaults uses the newer one (StorageClass, since Kubernetes 1.26), refuses the second one
(PriorityClass), or refuses what asks for the default (IngressClass). So does a snapshot class, by driver.

Sources: kubernetes.io, Storage Classes, Pod Priority and Preemption, Ingress (default IngressClass), Volume Snapshots;
KubeVirt, default virtualization StorageClass.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeferry.tasks.core.jsondoc.edit import change, get, without
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED, as_kubectl, parsed
from kubeferry.tasks.core.kube.objects import annotations_of, type_of

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object

_MARK = re.compile(r"[^/]+/is-default-((?:[a-z]+-)*class)")
"""`storageclass.kubernetes.io/is-default-class`, its beta form, and those of other groups."""

GLOBAL = ("scheduling.k8s.io", "PriorityClass")


def marks(obj: Object) -> frozenset[tuple[str, ...]]:
    """Return of what a class is the default: the same in two classes of a kind means that they rival.

    Of a snapshot class, the driver is part of it.
    """
    if type_of(obj) == GLOBAL:
        return frozenset({("globalDefault",)}) if obj.get("globalDefault") is True else frozenset()
    driver = obj.get("driver")
    of = (driver,) if isinstance(driver, str) else ()
    notes = annotations_of(obj)
    return frozenset((found[1], *of) for key, value in notes.items() if (found := _is_mark(key)) and value == "true")


def _is_mark(key: str) -> re.Match[str] | None:
    return _MARK.fullmatch(key)


def without_mark(obj: Object, mark: tuple[str, ...]) -> Object:
    """Return a class without being the default of something, in kubectl's copy too."""
    bare = _without(obj, mark)
    applied = parsed(annotations_of(obj).get(LAST_APPLIED))
    if applied is None:
        return bare
    text = as_kubectl(_without(applied, mark))
    return change(bare, ("metadata", "annotations", LAST_APPLIED), lambda _: text)


def _without(obj: Object, mark: tuple[str, ...]) -> Object:
    if mark == ("globalDefault",):
        return {key: value for key, value in obj.items() if key != "globalDefault"}
    notes = get(obj, "metadata", "annotations") or {}
    gone = [key for key in notes if (found := _is_mark(key)) and found[1] == mark[0]]
    return change(obj, ("metadata", "annotations"), without(*gone))


def path_of(obj: Object, mark: tuple[str, ...]) -> str:
    """Return the JSON pointer of the mark of a default."""
    if mark == ("globalDefault",):
        return "/globalDefault"
    key = min(key for key in annotations_of(obj) if (found := _is_mark(key)) and found[1] == mark[0])
    return "/metadata/annotations/" + key.replace("~", "~0").replace("/", "~1")
