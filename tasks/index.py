"""Learn every value that the source cluster hands out (addresses, uids), before the strings of objects are looked at.

A pass of its own over the spool, since an object may use a value whose owner is listed after it. What is not saved is
indexed too: the Pods of a Deployment, nodes, Services of other namespaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.core.chain_make import Around
from tasks.core.chain_pick import is_ready
from tasks.core.links import links_of
from tasks.core.objects import Object, Ref, labels_of
from tasks.core.read_types import NAMESPACES
from tasks.core.values_index import CLUSTER as CLUSTER_IDENTITY
from tasks.core.values_index import UID, Index, Source
from tasks.ports import progress
from tasks.scope import CLUSTER
from tasks.step import in_thread, step

if TYPE_CHECKING:
    from tasks.scope import Scope

POD = ("", "Pod")


class Known:
    """What is known of the source cluster. A plain class: Prefect would walk through a dataclass' every value."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.index = Index()
        self.around = Around()

    def add(self, obj: Object) -> None:
        """Take the values of one live object."""
        ref, links = Ref.of(obj), links_of(obj)
        ready = (ref.group, ref.kind) != POD or is_ready(obj)
        self.index.add(ref, links, ready=ready)
        if links.owners or links.addresses or ref.kind == "Node":  # the others begin chains of their own
            self.around.add(ref, links, ready=ready, labels=labels_of(obj))


@step("index")
async def index(scope: Scope) -> Known:
    """Return all values that the spooled objects have been given, each with its owner."""
    return await in_thread(_index, scope)


def _index(scope: Scope) -> Known:
    known = Known()
    if scope.source.uid:
        known.index.add_value(scope.source.uid, Source(CLUSTER_IDENTITY, UID))
    for done, namespace in enumerate([CLUSTER, *scope.namespaces], start=1):
        types = (
            [*scope.related, *scope.everywhere] if namespace == CLUSTER else [*scope.types, *scope.indexed, NAMESPACES]
        )
        for obj in scope.objects(namespace, scope.there(namespace, types)):
            known.add(obj)
        progress.step("index", done, len(scope.namespaces) + 1)
    return known
