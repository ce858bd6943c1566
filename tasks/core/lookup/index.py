"""Index the values that a cluster hands out: addresses, host names and uids, each with the one object whose it is.

Where several objects have the same value, a table says whose it is. It refuses to index what belongs to nobody:
loopback, unspecified, multicast and broadcast addresses, `None`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.tokens import class_of, key_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeferry.tasks.core.formats.links import Links

UID = "/metadata/uid"
CLUSTER = Ref("", "Namespace", "", "kube-system")
"""Its uid stands for the cluster (kubernetes.io: no other identity; KEP-2149 proposes the same)."""


PREFERENCE: tuple[tuple[str, str, str], ...] = (
    ("", "Service", "/spec/"),
    ("", "Pod", "/status/podIP"),
    ("", "Node", "/status/addresses/"),
    ("", "Service", "/status/"),
    ("gateway.networking.k8s.io", "Gateway", "/status/"),
    ("networking.k8s.io", "Ingress", "/status/"),
    ("", "Pod", "/status/hostIP"),
)
"""(group, kind, pointer begins with): whose a value is where several have it, the best first.

A node's address is the node's and not that of one of its many pods; a Gateway or Ingress only repeats the address of
the Service in front of it. The podIP of a pod on its host's network is the host's, and counts as `/status/hostIP`. What
`add_value` is told comes before all. Ready ones come before others (a finished pod's address may be another's by now),
then the smallest identity and pointer, so that the order of adding decides nothing.
"""

_HOST_OF_POD = len(PREFERENCE)


@dataclass(frozen=True, order=True, slots=True)
class Source:
    """Where a value comes from: an object of the old cluster, and the JSON pointer into it as it was live."""

    ref: Ref
    pointer: str


class Index:
    """All values of one cluster by `key_of`, each with its one owner; built object by object, in any order."""

    def __init__(self) -> None:
        self._owners: dict[str, tuple[tuple[int, int], Source]] = {}
        self.hosts = False
        """Whether any of them is a host name."""

    def add(self, ref: Ref, links: Links, *, ready: bool = True) -> None:
        """Add uid and addresses of one object, live or not carried, saved or not."""
        if links.uid and (key := key_of(links.uid)) and class_of(key) == "uid":
            self._put(key, (0, 0), Source(ref, UID))
        hosts = {value for at, value in links.addresses.items() if at.startswith("/status/hostIP")}
        for at, value in links.addresses.items():
            rank = _HOST_OF_POD if value in hosts else _rank(ref, at)
            key = key_of(value)
            if key and class_of(key) != "uid":
                self._put(key, (rank, 0 if ready else 1), Source(ref, at))

    def add_value(self, value: str, source: Source) -> None:
        """Add a value that stands in no object's links: an address of the API server."""
        key = key_of(value)
        if key:
            self._put(key, (0, 0), source)

    def source(self, key: str) -> Source:
        """Return the owner of a normalised value that is known."""
        return self._owners[key][1]

    def owner(self, value: str) -> Source | None:
        """Return whose `value` is, in any spelling."""
        key = key_of(value)
        return self._owners[key][1] if key and key in self._owners else None

    @property
    def known(self) -> Mapping[str, object]:
        """Return a map whose keys are the normalised values."""
        return self._owners

    def __len__(self) -> int:
        """Return how many values are known."""
        return len(self._owners)

    def _put(self, key: str, rank: tuple[int, int], source: Source) -> None:
        there = self._owners.get(key)
        if there is None or (rank, source) < there:
            self._owners[key] = (rank, source)
            self.hosts = self.hosts or class_of(key) == "host"


def _rank(ref: Ref, at: str) -> int:
    for rank, (group, kind, prefix) in enumerate(PREFERENCE, start=1):
        if (ref.group, ref.kind) == (group, kind) and at.startswith(prefix):
            return rank
    return _HOST_OF_POD + 1
