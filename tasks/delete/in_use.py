"""Whether a namespace or a CRD is still in use: its deletion would delete all objects in it or of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import NotFoundError
from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.core.kube.namespace_defaults import namespace_default
from kubeferry.tasks.core.kube.objects import Ref, owners_of, token_account
from kubeferry.tasks.core.needs.cluster_scoped import CRD
from kubeferry.tasks.core.selection.exclusions import KINDS_LEFT_OUT

if TYPE_CHECKING:
    from collections.abc import Collection, Container

    from kubeferry.tasks.core.formats.target.bundle import Member
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import Discovery
    from kubeferry.tasks.ports.cluster.client import Cluster

NAMESPACE = ("", "Namespace")
ENDPOINTS = ("", "Endpoints")


def in_use(cluster: Cluster, discovery: Discovery, ref: Ref, deleted: Collection[Member]) -> str:
    """Return why a namespace or CRD must stay; "" if it may be deleted, and for every other kind.

    `deleted` are the objects that this run deleted. They, and what controllers delete after them, may still be listed.
    """
    if (ref.group, ref.kind) == NAMESPACE:
        return _inhabited(cluster, discovery, ref.name, deleted)
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


def _inhabited(cluster: Cluster, discovery: Discovery, namespace: str, deleted: Collection[Member]) -> str:
    uids, refs = {each.uid for each in deleted}, {each.ref for each in deleted}
    for kind in discovery.types:
        if not kind.namespaced or not {"list", "create"} <= kind.verbs or (kind.group, kind.kind) in KINDS_LEFT_OUT:
            continue
        with suppress(NotFoundError):  # its CRD was deleted since discovery
            for item in (item for page in cluster.pages(kind, namespace) for item in page.items):
                goes = item["metadata"]["uid"] in uids or _follows(item, refs)
                if not goes and not _of_the_namespace(discovery, item):
                    return f"{Ref.of(item)} is in it and is not of this restore"
    return ""


def _follows(item: Object, deleted: Container[Ref]) -> bool:
    """Return whether a controller deletes an object after one that was deleted, without a reference to it.

    The endpoints controller does so with the Endpoints of a Service (pkg/controller/endpoint: syncService), the token
    controller with the tokens of a ServiceAccount.
    """
    ref = Ref.of(item)
    if (ref.group, ref.kind) == ENDPOINTS:
        return Ref("", "Service", ref.namespace, ref.name) in deleted
    return Ref("", "ServiceAccount", ref.namespace, token_account(item)) in deleted


def _of_the_namespace(discovery: Discovery, item: Object) -> bool:
    """Return whether it is a default object of every namespace, is being deleted, or has an owner in the namespace."""
    ref = Ref.of(item)
    owners = [discovery.by_kind(group_of(each["apiVersion"]), each["kind"]) for each in owners_of(item)]
    return (
        namespace_default(ref) is not None
        or bool(item["metadata"].get("deletionTimestamp"))
        or any(owner is None or owner.namespaced for owner in owners)
    )
