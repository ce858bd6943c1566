"""The addresses of each cluster: no two clusters share one, so that a value carried over by mistake shows."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

MOST = 26
"""Clusters are named kubeferry-a to kubeferry-z."""

NODES = 3


@dataclass(frozen=True)
class Network:
    """The network of the cluster number `index`, from 0."""

    index: int

    @property
    def services(self) -> IPv4Network:
        """Where cluster IPs come from; the first is the API server's own."""
        return IPv4Network(f"10.{200 + self.index}.0.0/16")

    @property
    def pods(self) -> IPv4Network:
        """Where all its pod IPs come from."""
        return IPv4Network(f"10.{100 + self.index}.0.0/16")

    def pods_of(self, node: int) -> IPv4Network:
        """Return where the pods of its node number `node`, from 0, get theirs."""
        return list(self.pods.subnets(new_prefix=18))[node]

    def node(self, node: int) -> IPv4Address:
        """Return the InternalIP of its node number `node`, from 0."""
        return IPv4Address(f"172.30.{self.index}.{11 + node}")
