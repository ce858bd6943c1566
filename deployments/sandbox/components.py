"""The processes of one cluster, each with its arguments, its port and its health check. Loopback only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kubeferry.deployments.sandbox import http
from kubeferry.deployments.sandbox.network import LOOPBACK
from kubeferry.deployments.sandbox.processes import Program

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeferry.deployments.sandbox.cluster import Cluster

STAGES = Path(__file__).parent / "stages"
"""kwok's stages: how it simulates nodes, pods and volumes."""

FIRST = ("etcd", "kube-apiserver")
"""Started in this order, and stopped last, in reverse: without etcd the API server hangs when it is stopped."""

QUICK = ("--kube-api-qps=1000", "--kube-api-burst=2000")
"""Limits too high to throttle: measurements on the sandbox are about Kubeferry, not about its controllers."""


@dataclass(frozen=True)
class Component:
    """A process, its port, and its health check."""

    program: Program
    port: int
    healthy: Callable[[], bool]


def components(cluster: Cluster, binaries: Path) -> list[Component]:
    """Return the processes of `cluster` in start order; their programs are in the folder `binaries`."""
    health = {
        "etcd": partial(http.healthy, f"http://{LOOPBACK}:{cluster.ports['etcd']}/health"),
        "kube-apiserver": partial(http.healthy, f"{cluster.server}/readyz", cluster.ca, cluster.tokens["admin"]),
        "kube-controller-manager": partial(http.healthy, tls(cluster, "kube-controller-manager"), cluster.ca),
        "kube-scheduler": partial(http.healthy, tls(cluster, "kube-scheduler"), cluster.ca),
        "kwok": partial(http.healthy, f"http://{LOOPBACK}:{cluster.ports['kwok']}/healthz"),
    }
    arguments = {
        "etcd": etcd,
        "kube-apiserver": apiserver,
        "kube-controller-manager": controller_manager,
        "kube-scheduler": scheduler,
        "kwok": kwok,
    }
    return [
        Component(
            Program(name, cluster.folder, [str(binaries / name), *arguments[name](cluster)]),
            cluster.ports[name],
            health[name],
        )
        for name in arguments
    ]


def tls(cluster: Cluster, name: str) -> str:
    """Return the health URL of a component that has a certificate from our CA."""
    return f"https://{LOOPBACK}:{cluster.ports[name]}/healthz"


def etcd(cluster: Cluster) -> list[str]:
    """Return etcd's arguments; without fsync it may lose the last writes when the machine (not the process) crashes."""
    client = f"http://{LOOPBACK}:{cluster.ports['etcd']}"
    peer = f"http://{LOOPBACK}:{cluster.ports['etcd-peer']}"
    return [
        f"--name={cluster.name}",
        f"--data-dir={cluster.folder / 'data'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster={cluster.name}={peer}",
        "--unsafe-no-fsync",
        "--quota-backend-bytes=8589934592",
        "--max-request-bytes=8388608",
        "--log-level=warn",
    ]


def apiserver(cluster: Cluster) -> list[str]:
    """Return the API server's arguments.

    The front-proxy keys allow aggregated APIs. `--endpoint-reconciler-type=none`, since an endpoint may not be on
    loopback, where this server is.
    """
    pki = cluster.pki
    issuer = "https://kubernetes.default.svc.cluster.local"
    return [
        f"--etcd-servers=http://{LOOPBACK}:{cluster.ports['etcd']}",
        f"--bind-address={LOOPBACK}",
        f"--advertise-address={LOOPBACK}",
        f"--secure-port={cluster.ports['kube-apiserver']}",
        "--endpoint-reconciler-type=none",
        f"--tls-cert-file={pki / 'server.crt'}",
        f"--tls-private-key-file={pki / 'server.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--token-auth-file={cluster.folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--allow-privileged",
        f"--service-cluster-ip-range={cluster.network.service_ranges}",
        f"--service-account-issuer={issuer}",
        f"--service-account-key-file={pki / 'sa.pub'}",
        f"--service-account-signing-key-file={pki / 'sa.key'}",
        f"--requestheader-client-ca-file={pki / 'front-proxy-ca.crt'}",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki / 'front-proxy.crt'}",
        f"--proxy-client-key-file={pki / 'front-proxy.key'}",
        "--profiling=false",
    ]


def controller_manager(cluster: Cluster) -> list[str]:
    """Return the controller manager's arguments."""
    pki = cluster.pki
    return [
        *control(cluster, "kube-controller-manager"),
        "--use-service-account-credentials",
        f"--service-account-private-key-file={pki / 'sa.key'}",
        f"--root-ca-file={pki / 'ca.crt'}",
        f"--cluster-signing-cert-file={pki / 'ca.crt'}",
        f"--cluster-signing-key-file={pki / 'ca.key'}",
        f"--cluster-name={cluster.name}",
        *QUICK,
    ]


def scheduler(cluster: Cluster) -> list[str]:
    """Return the scheduler's arguments."""
    return [*control(cluster, "kube-scheduler"), *QUICK]


def control(cluster: Cluster, name: str) -> list[str]:
    """Return the arguments that the controller manager and the scheduler share."""
    config = cluster.kubeconfig_of(name)
    return [
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        "--leader-elect=false",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={cluster.ports[name]}",
        f"--tls-cert-file={cluster.pki / 'server.crt'}",
        f"--tls-private-key-file={cluster.pki / 'server.key'}",
        "--profiling=false",
    ]


def kwok(cluster: Cluster) -> list[str]:
    """Return kwok's arguments: it simulates the kubelets of all nodes."""
    return [
        f"--kubeconfig={cluster.kubeconfig_of('kwok')}",
        f"--server-address={LOOPBACK}:{cluster.ports['kwok']}",
        f"--cidr={cluster.network.pods}",
        "--manage-all-nodes=true",
        "--node-lease-duration-seconds=40",
        *(f"--config={stage}" for stage in sorted(STAGES.glob("*.yaml"))),
    ]
