"""Index the values that the source cluster assigned (addresses, uids), before strings of objects are searched.

A separate pass over the spool, since an object may use a value whose owner is listed after it. Objects that are not
backed up are indexed too: the Pods of a Deployment, nodes, Services of other namespaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.backup.state import CLUSTER
from kubeferry.tasks.core.lookup.derive import Known
from kubeferry.tasks.core.lookup.index import CLUSTER as CLUSTER_IDENTITY
from kubeferry.tasks.core.lookup.index import UID, Source
from kubeferry.tasks.core.selection.resource_types import NAMESPACES
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from kubeferry.tasks.backup.state import Scope


@step("index")
async def index(scope: Scope) -> Known:
    """Return the index of all assigned values in the spooled objects, each with its owner."""
    return await in_thread(_index, scope)


def _index(scope: Scope) -> Known:
    known = Known()
    if scope.source.uid:
        known.index.add_value(scope.source.uid, Source(CLUSTER_IDENTITY, UID))
    for done, namespace in enumerate([CLUSTER, *scope.namespaces], start=1):
        types = (
            [*scope.related, *scope.everywhere] if namespace == CLUSTER else [*scope.types, *scope.indexed, NAMESPACES]
        )
        for obj in scope.objects(namespace, types):
            known.add(obj)
        progress.step("index", done, len(scope.namespaces) + 1)
    return known
