"""Index of the values that a cluster assigns: addresses, host names and uids, each with its owner.

If several objects have the same value, a table decides which owns it. Values without an owner are not indexed:
loopback, unspecified, multicast and broadcast addresses, and `None`.
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
"""Its uid identifies the cluster (kubernetes.io: no other identity; KEP-2149 proposes the same)."""


PREFERENCE: tuple[tuple[str, str, str], ...] = (
    ("", "Service", "/spec/"),
    ("", "Pod", "/status/podIP"),
    ("", "Node", "/status/addresses/"),
    ("", "Service", "/status/"),
    ("gateway.networking.k8s.io", "Gateway", "/status/"),
    ("networking.k8s.io", "Ingress", "/status/"),
    ("", "Pod", "/status/hostIP"),
)
"""(group, kind, prefix of the pointer): which object owns a value that several have, in order of precedence.

A node owns its address, not one of its many pods; a Gateway or Ingress only repeats the address of the Service in front
of it. The podIP of a pod on the host network is the host's, and counts as `/status/hostIP`. `add_value` takes
precedence over all. Ready objects take precedence over others (a finished pod's address may be in use again), then the
smallest identity and pointer, so that the order of adding does not matter.
"""

_HOST_OF_POD = len(PREFERENCE)
_FIRST = (0, 0)


@dataclass(frozen=True, order=True, slots=True)
class Source:
    """Where a value comes from: an object of the source cluster, and the JSON pointer into it while it was live."""

    ref: Ref
    pointer: str


class Index:
    """All values of one cluster by `key_of`, each with its owner; objects are added in any order."""

    def __init__(self) -> None:
        self._owners: dict[str, Source] = {}
        self._ranks: dict[str, tuple[int, int]] = {}
        """Those that are not (0, 0), which uids have: nearly all."""
        self.hosts = False
        """Whether any of them is a host name."""

    def add(self, ref: Ref, links: Links, *, ready: bool = True) -> None:
        """Add uid and addresses of one object, whether or not it is in the backup."""
        if links.uid and (key := key_of(links.uid)) and class_of(key) == "uid":
            self._put(key, (0, 0), Source(ref, UID))
        hosts = {value for at, value in links.addresses.items() if at.startswith("/status/hostIP")}
        for at, value in links.addresses.items():
            rank = _HOST_OF_POD if value in hosts else _rank(ref, at)
            key = key_of(value)
            if key and class_of(key) != "uid":
                self._put(key, (rank, 0 if ready else 1), Source(ref, at))

    def add_value(self, value: str, source: Source) -> None:
        """Add a value that is in no object's links: an address of the API server."""
        key = key_of(value)
        if key:
            self._put(key, (0, 0), source)

    def source(self, key: str) -> Source:
        """Return the owner of a known normalised value."""
        return self._owners[key]

    def owner(self, value: str) -> Source | None:
        """Return the owner of `value`, in any spelling."""
        key = key_of(value)
        return self._owners.get(key) if key else None

    @property
    def known(self) -> Mapping[str, object]:
        """Return a map whose keys are the normalised values."""
        return self._owners

    def __len__(self) -> int:
        """Return how many values are known."""
        return len(self._owners)

    def _put(self, key: str, rank: tuple[int, int], source: Source) -> None:
        there = self._owners.get(key)
        if there is None or (rank, source) < (self._ranks.get(key, _FIRST), there):
            self._owners[key] = source
            self._ranks.pop(key, None)
            if rank != _FIRST:
                self._ranks[key] = rank
            self.hosts = self.hosts or class_of(key) == "host"


def _rank(ref: Ref, at: str) -> int:
    for rank, (group, kind, prefix) in enumerate(PREFERENCE, start=1):
        if (ref.group, ref.kind) == (group, kind) and at.startswith(prefix):
            return rank
    return _HOST_OF_POD + 1
