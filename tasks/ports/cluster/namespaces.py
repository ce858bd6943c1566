"""Which namespaces a cluster has: by name, by label, and whether they stay or are being deleted."""

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
    """Return a namespace, or None where there is none."""
    try:
        return cluster.get(NAMESPACES, "", name)
    except NotFoundError:
        return None


def live_namespaces(cluster: Cluster, names: Iterable[str]) -> dict[str, Object | None]:
    """Return namespaces by name, None for one that there is not: a few are asked for by name, many by one LIST.

    Raises:
        ForbiddenError: these credentials may see neither all namespaces nor one of these.
    """
    wanted = sorted(set(names))
    if len(wanted) > FEW:
        with suppress(ForbiddenError):  # who may not see all may see these
            live = {each["metadata"]["name"]: each for each in cluster.list(NAMESPACES)}
            return {name: live.get(name) for name in wanted}
    return {name: existing(cluster, name) for name in wanted}


def there(cluster: Cluster, namespaces: Iterable[str]) -> list[str]:
    """Return those namespaces, sorted, that a cluster has and does not delete."""
    return [name for name in sorted(namespaces) if stays(existing(cluster, name))]


def stays(live: Object | None) -> bool:
    """Return whether a namespace is there, and not being deleted."""
    return live is not None and not live["metadata"].get("deletionTimestamp")


def listed(cluster: Cluster, selector: str = "") -> set[str]:
    """Return the names of all namespaces that stay, or of those whose labels a selector chooses."""
    query = {"labelSelector": selector} if selector else {}
    return {each["metadata"]["name"] for each in cluster.list(NAMESPACES, query=query) if stays(each)}
