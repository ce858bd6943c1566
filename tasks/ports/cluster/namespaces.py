"""Look up the namespaces of a cluster by name or by label, and whether they are being deleted."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ForbiddenError, NotFoundError
from kubeferry.tasks.core.selection.resource_types import FEW, NAMESPACES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.ports.cluster.client import Cluster


def existing(cluster: Cluster, name: str) -> Object | None:
    """Return a namespace, or None if it does not exist."""
    try:
        return cluster.get(NAMESPACES, "", name)
    except NotFoundError:
        return None


def live_namespaces(cluster: Cluster, names: Iterable[str]) -> dict[str, Object | None]:
    """Return namespaces by name, None for one that does not exist: a few GETs, or one LIST for many.

    Raises:
        ForbiddenError: these credentials may neither list namespaces nor get one of these.
    """
    wanted = sorted(set(names))
    if len(wanted) > FEW:
        with suppress(ForbiddenError):  # these credentials may still get single namespaces
            live = {each["metadata"]["name"]: each for each in cluster.list(NAMESPACES)}
            return {name: live.get(name) for name in wanted}
    return {name: existing(cluster, name) for name in wanted}


def there(cluster: Cluster, namespaces: Iterable[str]) -> list[str]:
    """Return those of the namespaces, sorted, that exist and are not being deleted."""
    return [name for name in sorted(namespaces) if stays(existing(cluster, name))]


def stays(live: Object | None) -> bool:
    """Return whether a namespace exists and is not being deleted."""
    return live is not None and not live["metadata"].get("deletionTimestamp")


def listed(cluster: Cluster, selector: str = "") -> set[str]:
    """Return the names of all namespaces that are not being deleted, or of those that match a label selector."""
    query = {"labelSelector": selector} if selector else {}
    return {each["metadata"]["name"] for each in cluster.list(NAMESPACES, query=query) if stays(each)}
