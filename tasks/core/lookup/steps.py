"""The steps of a chain (chains.py): plain values that say how to get from one object to the next, and what to read.

Each tells itself to a person with text(). They refuse to know a cluster: chain_pick.py walks them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kubeferry.tasks.core.jsondoc.edit import EACH, Path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeferry.tasks.core.kube.objects import Ref

Family = Literal["", "IPv4", "IPv6", "host"]
"""What kind of address: a value of one family is never replaced by one of another; "" where it is no address."""

READS: Mapping[str, tuple[Path, ...]] = {
    "podIP": (("status", "podIPs", EACH, "ip"), ("status", "podIP")),
    "hostIP": (("status", "hostIPs", EACH, "ip"), ("status", "hostIP")),
    "clusterIP": (("spec", "clusterIPs", EACH), ("spec", "clusterIP")),
    "ingress": (
        ("status", "loadBalancer", "ingress", EACH, "ip"),
        ("status", "loadBalancer", "ingress", EACH, "hostname"),
    ),
    "addresses": (("status", "addresses", EACH, "value"),),
    "nodeAddress": (("status", "addresses", EACH, "address"),),
    "endpoint": (("subsets", EACH, "addresses", EACH, "ip"), ("endpoints", EACH, "addresses", EACH)),
    "uid": (("metadata", "uid"),),
    "name": (("metadata", "name"),),
    "nodeName": (("spec", "nodeName"),),
}
"""What a chain ends with → the fields that hold it; a value in several of them counts once, at its first place."""

SHOWN: Mapping[str, str] = {
    "podIP": "status.podIP",
    "hostIP": "status.hostIP",
    "clusterIP": "spec.clusterIP",
    "ingress": "status.loadBalancer.ingress",
    "addresses": "status.addresses",
    "nodeAddress": "status.addresses",
    "endpoint": "addresses",
    "uid": "metadata.uid",
    "name": "metadata.name",
    "nodeName": "spec.nodeName",
}


@dataclass(frozen=True, slots=True)
class Start:
    """The object where a chain begins."""

    ref: Ref

    def text(self) -> str:
        """Return the step as a person reads it."""
        return str(self.ref)


@dataclass(frozen=True, slots=True)
class Named:
    """The one pod of the object before that has a fixed name: a StatefulSet's."""

    name: str

    def text(self) -> str:
        """Return the step as a person reads it."""
        return f"its pod {self.name}"


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest object of a kind that the object before controls: a Deployment's ReplicaSet, a CronJob's Job."""

    group: str
    kind: str

    def text(self) -> str:
        """Return the step as a person reads it."""
        return f"its newest {self.kind}"


@dataclass(frozen=True, slots=True)
class Pods:
    """One of the ready pods of the object before, by name: the `ordinal`th of the `of` that were ready."""

    ordinal: int
    of: int

    def text(self) -> str:
        """Return the step as a person reads it."""
        return f"its pods, ready, by name, #{self.ordinal}"


@dataclass(frozen=True, slots=True)
class Nodes:
    """A node: the one of the same name where there is one, else the `ordinal`th by name of those with these roles."""

    name: str
    roles: tuple[str, ...]
    ordinal: int

    def text(self) -> str:
        """Return the step as a person reads it."""
        roles = f"nodes with role {'+'.join(self.roles)}" if self.roles else "nodes without a role"
        return f"Node {self.name}, else {roles}, by name, #{self.ordinal}"


@dataclass(frozen=True, slots=True)
class Read:
    """The value at the end: the `index`th of its family among the fields of READS, or what is at `path`."""

    what: str
    family: Family = ""
    index: int = 0
    path: tuple[str | int, ...] = ()
    """For `what` "path" only: keys and list indexes, from a user's annotation."""

    def text(self) -> str:
        """Return the step as a person reads it."""
        if self.what == "path":
            return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)[1:]
        which = f"[{self.index}]" if self.index or self.what in ("ingress", "addresses", "nodeAddress") else ""
        family = f" ({self.family})" if self.family in ("IPv6", "host") else ""
        return f"{SHOWN[self.what]}{which}{family}"


Step = Start | Named | Newest | Pods | Nodes | Read
