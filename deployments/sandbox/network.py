"""The addresses of each cluster, and the ports on loopback.

The first two clusters have IPv4 addresses, all others are dual-stack. No two clusters share an address range, so that
a value that is restored by mistake stands out. Free ports are chosen once and kept, so that a restart changes no
address. They are below the system's range for outgoing connections, since a port from that range could be in use
whenever the sandbox is started again. A file in the cache folder names the ports of every sandbox of the user: a port
on which nothing listens can belong to a sandbox that is stopped, or that is about to start.
"""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from kubeferry.deployments.sandbox import local
from kubeferry.deployments.sandbox.local import SandboxError
from kubeferry.tasks.ports.local import paths

if TYPE_CHECKING:
    from collections.abc import Sequence


MOST = 26
"""Clusters are named kubeferry-a to kubeferry-z."""

NODES = 3

SINGLE_STACK = 2
"""Number of clusters with IPv4 addresses alone: those that most tests use, where IPv6 would cost objects and time."""


@dataclass(frozen=True)
class Network:
    """The network of the cluster number `index`, from 0."""

    index: int

    @property
    def services(self) -> IPv4Network:
        """The range of cluster IPs; the first is the API server's own."""
        return IPv4Network(f"10.{200 + self.index}.0.0/16")

    @property
    def pods(self) -> IPv4Network:
        """The range of all its pod IPs."""
        return IPv4Network(f"10.{100 + self.index}.0.0/16")

    def pods_of(self, node: int) -> IPv4Network:
        """Return the range of pod IPs of its node number `node`, from 0."""
        return list(self.pods.subnets(new_prefix=18))[node]

    def node(self, node: int) -> IPv4Address:
        """Return the InternalIP of its node number `node`, from 0."""
        return IPv4Address(f"172.30.{self.index}.{11 + node}")

    @property
    def dual_stack(self) -> bool:
        """Whether it has IPv6 addresses too, as the second family."""
        return self.index >= SINGLE_STACK

    @property
    def services6(self) -> IPv6Network:
        """The range of IPv6 cluster IPs."""
        return IPv6Network(f"fd00:10:{200 + self.index}::/112")

    @property
    def pods6(self) -> IPv6Network:
        """The range of all its IPv6 pod IPs."""
        return IPv6Network(f"fd00:10:{100 + self.index}::/48")

    def pods6_of(self, node: int) -> IPv6Network:
        """Return the range of IPv6 pod IPs of its node number `node`, from 0."""
        return IPv6Network(f"fd00:10:{100 + self.index}:{node}::/64")

    def node6(self, node: int) -> IPv6Address:
        """Return the IPv6 InternalIP of its node number `node`, from 0."""
        return IPv6Address(f"fd00:172:30:{self.index}::{11 + node}")

    @property
    def service_ranges(self) -> str:
        """Return the ranges of cluster IPs, as the API server takes them."""
        return f"{self.services},{self.services6}" if self.dual_stack else str(self.services)


LOOPBACK = "127.0.0.1"
RANGE = range(20000, 32000)
TRIES = 200


def assign(path: Path, names: Sequence[str]) -> dict[str, int]:
    """Return a port for each of `names`: the one in the file `path`, else one that no other such file has.

    What is chosen is stored in `path`, and belongs to it until `path` is deleted. Raises SandboxError when no port is
    left.
    """
    known = _ports(local.read_json(path))
    if set(known) == set(names):
        return known
    registry = paths.cache() / "ports.json"
    registry.parent.mkdir(parents=True, exist_ok=True)
    # Not `locked`: the clusters of one `up` choose side by side, each for a moment, which is no wait to tell of.
    with FileLock(registry.with_suffix(".lock")):
        known = _ports(local.read_json(path))  # again, since another process may have chosen meanwhile
        ports = {name: known[name] for name in names if name in known}
        listed = local.read_json(registry).items()
        others = {each: _ports(found) for each, found in listed if each != str(path) and Path(each).exists()}
        taken = {port for other in others.values() for port in other.values()}
        for name in names:
            if name not in ports:
                ports[name] = pick(taken={*taken, *ports.values()})
        local.write_json(path, ports)
        local.write_json(registry, others | {str(path): ports})
    return ports


def _ports(found: Any) -> dict[str, int]:
    return {name: port for name, port in found.items() if isinstance(port, int)} if isinstance(found, dict) else {}


def pick(taken: set[int]) -> int:
    """Return a port that nothing listens on and that is not in `taken`."""
    for _ in range(TRIES):
        port = random.choice(RANGE)  # noqa: S311 - keeps two sandboxes apart, not a secret
        if port not in taken and free(port):
            return port
    raise SandboxError(f"no free port found between {RANGE.start} and {RANGE.stop} in {TRIES} tries")


def free(port: int) -> bool:
    """Return whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
