"""What a restore sees of its target: types and namespaces, each asked for once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import NotFoundError
from kubeferry.tasks.ports.cluster.namespaces import existing

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.plan.state import Item, Restoring


def seen(restoring: Restoring, name: str) -> Object | None:
    """Return a namespace of the target as the look that is under way found it: it is asked for once."""
    if name not in restoring.spaces:
        restoring.spaces[name] = existing(restoring.target(), name)
    return restoring.spaces[name]


def type_of(restoring: Restoring, ref: Ref) -> ResourceType:
    """Return the target's type of an object.

    Raises:
        NotFoundError: the target does not serve it (preflight would have said so).
    """
    found = restoring.discovery.by_kind(ref.group, ref.kind)
    if found is None:
        raise NotFoundError(f"{ref}: cluster {restoring.target().name} does not serve {ref.type}")
    return found


def type_of_item(restoring: Restoring, item: Item) -> ResourceType:
    """Return the target's type of an object in the version that the backup holds, which need not be the preferred.

    Raises:
        NotFoundError: as `type_of`.
    """
    return replace(type_of(restoring, item.ref), version=item.api_version.rpartition("/")[2])
