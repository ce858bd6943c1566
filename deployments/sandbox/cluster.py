"""One cluster of the sandbox: its folder, names, ports, keys and tokens, created when they are missing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from kubeferry.deployments.sandbox import credentials, local, network
from kubeferry.deployments.sandbox.http import Api
from kubeferry.deployments.sandbox.network import Network

if TYPE_CHECKING:
    from pathlib import Path

PORTS = ("etcd", "etcd-peer", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")


@dataclass(frozen=True)
class Cluster:
    """Cluster number `index` (from 0) of the sandbox in the folder `home`."""

    home: Path
    index: int

    @property
    def name(self) -> str:
        """Its name, which is also its context: `kubeferry-a`."""
        return f"kubeferry-{chr(ord('a') + self.index)}"

    @property
    def folder(self) -> Path:
        """Its folder: pki/, run/, logs/, data/, tokens.csv, ports.json."""
        return self.home / self.name

    @property
    def pki(self) -> Path:
        """The folder of its keys and certificates (credentials.ensure)."""
        return self.folder / "pki"

    @property
    def ca(self) -> Path:
        """The CA certificate with which clients verify it."""
        return self.pki / "ca.crt"

    @property
    def network(self) -> Network:
        """Its addresses."""
        return Network(self.index)

    @cached_property
    def ports(self) -> dict[str, int]:
        """Its ports by process."""
        return network.assign(self.folder / "ports.json", PORTS)

    @cached_property
    def tokens(self) -> dict[str, str]:
        """Its bearer tokens by user."""
        return credentials.tokens(self.folder / "tokens.csv")

    @property
    def server(self) -> str:
        """The URL of its API server."""
        return f"https://{network.LOOPBACK}:{self.ports['kube-apiserver']}"

    @property
    def api(self) -> Api:
        """Its API server, as the administrator."""
        return Api(self.server, self.ca, self.tokens["admin"])

    def prepare(self) -> None:
        """Create what its processes read at start: keys, tokens, ports and a kubeconfig for each component."""
        credentials.ensure(self.pki, self.network.services[1])
        for user in self.tokens:
            entry = credentials.cluster_entry(self.name, self.server, self.ca)
            text = credentials.kubeconfig([entry], [(self.name, self.name, self.tokens[user])], self.name)
            local.write(self.kubeconfig_of(user), text)

    def kubeconfig_of(self, user: str) -> Path:
        """Return the kubeconfig of `user` for this cluster."""
        return self.folder / "kubeconfigs" / user.removeprefix("system:")
