"""What a target was asked that is the same for all restores into it at one time: each question is asked once.

What it serves, what its schemas say, what these credentials may do everywhere, its storage classes. A restore alone has
one of its own; the restores of a migration share one.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

from kubeferry.tasks.core.errors import ForbiddenError, NotFoundError
from kubeferry.tasks.core.kube.openapi import Schemas
from kubeferry.tasks.core.kube.readiness.infrastructure import STORAGE_CLASS, context_of
from kubeferry.tasks.core.ops.rights import NAMESPACES

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from kubeferry.tasks.core.kube.readiness.verdict import Context
    from kubeferry.tasks.core.kube.resources import Discovery, ResourceType
    from kubeferry.tasks.ports.cluster.client import Cluster

T = TypeVar("T")

NONE = Schemas({})


class CachedTarget:
    """Answers of one target; may be used by many threads at once."""

    def __init__(self, target: Callable[[], Cluster]) -> None:
        """Ask nothing yet; `target` gives the cluster, which a plan alone never needs."""
        self._target = target
        self._answers: dict[Hashable, Any] = {}
        self._locks: dict[Hashable, RLock] = {}
        self._lock = RLock()

    def discovery(self) -> Discovery:
        """Return what the target serves."""
        return self._once("discovery", lambda: self._target().discover())

    def anew(self) -> Discovery:
        """Return what the target serves now, since that has changed or may have."""
        found = self._target().discover()
        with self._lock:
            self._answers["discovery"] = found
        return found

    def uid(self) -> str:
        """Return the cluster's identity, "" for who may not see it."""
        return self._once("uid", lambda: cluster_uid(self._target()))

    def schemas(self, api_version: str) -> Schemas:
        """Return the schemas of a group and version; none of one that is not served, or not described."""

        def ask() -> Schemas:
            try:
                return Schemas(self._target().schemas(api_version))
            except (NotFoundError, ForbiddenError):
                return NONE

        return self._once(("schemas", api_version), ask)

    def context(self) -> Context:
        """Return what readiness needs to know of the target's storage classes."""

        def ask() -> Context:
            kind = self.discovery().by_kind(*STORAGE_CLASS)
            try:
                classes = self._target().list(kind) if kind else []
            except ForbiddenError:
                classes = []  # claims of an unknown class are then waited for like any other
            return context_of(classes)

        return self._once("context", ask)

    def allowed(self, verb: str, kind: ResourceType, namespace: str) -> bool:
        """Return whether these credentials may `verb` a type in a namespace; who may everywhere may there."""
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


def cluster_uid(cluster: Cluster) -> str:
    """Return a cluster's identity, the uid of its namespace kube-system; "" for who may not see it."""
    try:
        return str(cluster.get(NAMESPACES, "", "kube-system")["metadata"]["uid"])
    except (ForbiddenError, NotFoundError):
        return ""
