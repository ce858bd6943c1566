"""Whether a namespace or a CRD is still in use: its deletion would delete all objects in it or of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import NotFoundError
from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.core.kube.namespace_defaults import namespace_default
from kubeferry.tasks.core.kube.objects import Ref, owners_of
from kubeferry.tasks.core.needs.cluster_scoped import CRD
from kubeferry.tasks.core.selection.exclusions import KINDS_LEFT_OUT

if TYPE_CHECKING:
    from collections.abc import Container

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import Discovery
    from kubeferry.tasks.ports.cluster.client import Cluster

NAMESPACE = ("", "Namespace")


def in_use(cluster: Cluster, discovery: Discovery, ref: Ref, ours: Container[str]) -> str:
    """Return why a namespace or CRD must stay; "" if it may be deleted, and for every other kind.

    `ours` are the uids of objects deleted by this run, which may still be listed.
    """
    if (ref.group, ref.kind) == NAMESPACE:
        return _inhabited(cluster, discovery, ref.name, ours)
    if (ref.group, ref.kind) == CRD:
        return _has_objects(cluster, discovery, ref.name)
    return ""


def _has_objects(cluster: Cluster, discovery: Discovery, name: str) -> str:
    kind = next((each for each in discovery.types if each.group_resource == name), None)
    item = None
    with suppress(NotFoundError):  # not served any more: no objects are left
        some = next(iter(cluster.pages(kind, query={"limit": "1"})), None) if kind else None
        item = next(iter(some.items), None) if some else None
    return f"{Ref.of(item)} is of its kind" if item else ""


def _inhabited(cluster: Cluster, discovery: Discovery, namespace: str, ours: Container[str]) -> str:
    for kind in discovery.types:
        if not kind.namespaced or not {"list", "create"} <= kind.verbs or (kind.group, kind.kind) in KINDS_LEFT_OUT:
            continue
        with suppress(NotFoundError):  # its CRD was deleted since discovery
            for item in (item for page in cluster.pages(kind, namespace) for item in page.items):
                if item["metadata"]["uid"] not in ours and not _of_the_namespace(discovery, item):
                    return f"{Ref.of(item)} is in it and is not of this restore"
    return ""


def _of_the_namespace(discovery: Discovery, item: Object) -> bool:
    """Return whether it is a default object of every namespace, is being deleted, or has an owner in the namespace."""
    ref = Ref.of(item)
    owners = [discovery.by_kind(group_of(each["apiVersion"]), each["kind"]) for each in owners_of(item)]
    return (
        namespace_default(ref) is not None
        or bool(item["metadata"].get("deletionTimestamp"))
        or any(owner is None or owner.namespaced for owner in owners)
    )
