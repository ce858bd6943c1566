"""The state that the steps of one deletion share: options, the objects found on the cluster, and the result.

A plain class on purpose: Prefect traverses dataclasses, lists and maps in a step's parameters. It holds no contents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.deletion.cascade import Cascade
from kubeferry.tasks.core.deletion.inventory import Inventory
from kubeferry.tasks.delete.remove import Removed
from kubeferry.tasks.ports.cluster.leases import Hold
from kubeferry.tasks.ports.local.plugins import installed

if TYPE_CHECKING:
    from kubeferry.tasks.core.deletion.authorization import Authority
    from kubeferry.tasks.core.kube.resources import Discovery
    from kubeferry.tasks.core.models.options import DeleteOptions
    from kubeferry.tasks.ports.cluster.client import Cluster


class Deleting:
    """One deletion in progress."""

    def __init__(self, options: DeleteOptions) -> None:
        """Read nothing yet."""
        self.options = options
        self.hold = Hold(self.target(), f"delete {options.what}")
        self.discovery: Discovery
        self.namespaces: list[str] = []
        self.charters: list[Authority] = []
        """The authorities of the bundles; empty for a deletion by labels."""
        self.facts = Inventory(installed())
        self.group = Cascade([], {}, [])
        self.removed = Removed()

    def __repr__(self) -> str:
        """Return what is deleted, which Prefect shows among the parameters."""
        return f"delete {self.options.what}"

    def target(self) -> Cluster:
        """Return the cluster."""
        from kubeferry.tasks.ports.cluster.client import connect

        return connect(self.options.context or None, self.options.kubeconfig or None)

    def guarded(self) -> Cluster:
        """Return the cluster, to which nothing is written any more once the leases are lost."""
        return self.target().guarded(self.hold.check)
