"""What is known of a source cluster's values: addresses and uids, each with its owner. Asks no cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.links import links_of
from kubeferry.tasks.core.kube.objects import Ref, labels_of
from kubeferry.tasks.core.lookup.derive import POD, Around
from kubeferry.tasks.core.lookup.follow import is_ready
from kubeferry.tasks.core.lookup.index import Index

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object


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
