"""Cached answers of a target that are the same for all restores into it: each request is sent once.

The cache holds discovery, OpenAPI schemas, access reviews, storage classes and cluster-wide roles. A single restore has
its own cache; the restores of a migration share one.
"""

from __future__ import annotations

import re
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

from kubeferry.tasks.core.errors import ForbiddenError, KubeferryError, NotFoundError
from kubeferry.tasks.core.kube.readiness.infrastructure import STORAGE_CLASS, context_of
from kubeferry.tasks.core.kube.schemas.openapi import Schemas
from kubeferry.tasks.core.ops.rights import NAMESPACES
from kubeferry.tasks.ports.cluster.definitions import CRD

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.readiness.verdict import Context
    from kubeferry.tasks.core.kube.resources import Discovery, ResourceType
    from kubeferry.tasks.ports.cluster.client import Cluster

T = TypeVar("T")

NONE = Schemas({})


class CachedTarget:
    """Cached answers of one target; safe for use by many threads."""

    def __init__(self, target: Callable[[], Cluster]) -> None:
        """Send no request yet; `target` returns the cluster, which an offline plan never needs."""
        self._target = target
        self._answers: dict[Hashable, Any] = {}
        self._locks: dict[Hashable, RLock] = {}
        self._lock = RLock()

    def discovery(self) -> Discovery:
        """Return the cached discovery of the target."""
        return self._once("discovery", lambda: self._target().discover())

    def refreshed(self) -> Discovery:
        """Run discovery again, because it may have changed, and replace the cached answer."""
        found = self._target().discover()
        with self._lock:
            self._answers["discovery"] = found
        return found

    def uid(self) -> str:
        """Return the identity of the cluster (see `cluster_uid`)."""
        return self._once("uid", lambda: cluster_uid(self._target()))

    def schemas(self, api_version: str) -> Schemas:
        """Return the schemas of a group and version; no schemas if it is not served or not described."""

        def ask() -> Schemas:
            try:
                return Schemas(self._target().schemas(api_version))
            except (NotFoundError, ForbiddenError):
                return NONE

        return self._once(("schemas", api_version), ask)

    def definition(self, kind: ResourceType) -> Object | None:
        """Return the definition of a custom kind; None where it has none, or none that may be read."""

        def ask() -> Object | None:
            crds = self.discovery().by_kind(*CRD)
            try:
                return self._target().find(crds, "", kind.group_resource) if crds else None
            except ForbiddenError:
                return None

        return self._once(("definition", kind.group, kind.resource), ask)

    def context(self) -> Context:
        """Return the storage classes of the target as readiness needs them."""

        def ask() -> Context:
            kind = self.discovery().by_kind(*STORAGE_CLASS)
            try:
                classes = self._target().list(kind) if kind else []
            except ForbiddenError:
                classes = []  # PersistentVolumeClaims of an unknown class are then waited for like any other
            return context_of(classes)

        return self._once("context", ask)

    def service_ranges(self) -> tuple[str, ...]:
        """Return the ranges of addresses that the target gives to Services, () where nobody says them.

        A cluster without ServiceCIDRs (Kubernetes before 1.33) names its range when it refuses an address outside of
        it; the question is a dry run.
        """
        return self._once("service ranges", lambda: _service_ranges(self, self._target))

    def everywhere(self, group: str, kind: str) -> list[Object]:
        """Return all objects of a kind in the whole cluster, [] where it does not serve the kind.

        Raises:
            ForbiddenError: these credentials may not list them.
        """

        def ask() -> list[Object]:
            found = self.discovery().by_kind(group, kind)
            return self._target().list(found) if found else []

        return self._once(("everywhere", group, kind), ask)

    def allowed(self, verb: str, kind: ResourceType, namespace: str) -> bool:
        """Return whether these credentials may `verb` a type in a namespace; the right in all namespaces implies it."""
        what = (verb, kind.group, kind.resource)
        everywhere = self._once((*what, ""), lambda: self._target().allowed(verb, kind, ""))
        if everywhere or not namespace:
            return everywhere
        return self._once((*what, namespace), lambda: self._target().allowed(verb, kind, namespace))

    def _once(self, key: Hashable, ask: Callable[[], T]) -> T:
        with self._lock:
            own = self._locks.setdefault(key, RLock())
        with own:
            if key not in self._answers:
                self._answers[key] = ask()
            answer: T = self._answers[key]
            return answer


OUTSIDE = ("192.0.2.1", "2001:db8::1")
"""An address of each family that no cluster gives to Services (RFC 5737, RFC 3849)."""

_RANGE = re.compile(r"range of valid IPs is ([0-9a-fA-F.:]+/[0-9]+)")
"""pkg/registry/core/service/ipallocator: ErrNotInRange."""


def _service_ranges(target: CachedTarget, cluster: Callable[[], Cluster]) -> tuple[str, ...]:
    try:
        objects = target.everywhere("networking.k8s.io", "ServiceCIDR")
    except ForbiddenError:
        objects = []
    live = [each for each in objects if not each["metadata"].get("deletionTimestamp")]
    ranges = [str(one) for each in live for one in (each.get("spec") or {}).get("cidrs") or ()]
    kind = target.discovery().by_kind("", "Service")
    return tuple(ranges or filter(None, (_range_named(cluster(), kind, each) for each in OUTSIDE if kind)))


def _range_named(cluster: Cluster, kind: ResourceType, address: str) -> str:
    """Return the range that the API server names when it refuses an address, "" if it says something else."""
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kubeferry-asks", "namespace": "default"}}
    try:
        cluster.create(kind, "default", body | {"spec": {"clusterIP": address, "ports": [{"port": 1}]}}, dry_run=True)
    except KubeferryError as error:
        found = _RANGE.search(str(error))
        return found[1] if found else ""
    return ""


def cluster_uid(cluster: Cluster) -> str:
    """Return the identity of a cluster: the uid of its namespace kube-system, or "" without the right to read it."""
    try:
        return str(cluster.get(NAMESPACES, "", "kube-system")["metadata"]["uid"])
    except (ForbiddenError, NotFoundError):
        return ""
