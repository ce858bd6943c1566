"""Fields in which the author of an object asks for an address: they hold what is wanted, not what a cluster assigned.

Such a field is never a use of the address that its own cluster gave (lookup/uses.py): it stays as its author wrote it,
or it is given up where the target cannot grant it (transform/addresses.py).

Sources: the API reference of Service and Gateway; of annotations and kinds, the documentation of MetalLB, kube-vip,
Cilium, Calico, and of the cloud providers for Azure, AWS and OpenStack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import EACH, Path, found, parse_paths
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED
from kubeferry.tasks.core.kube.objects import annotations_of, type_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kubeferry.tasks.core.jsondoc.edit import Object

SERVICE = ("", "Service")

REQUESTS: Mapping[tuple[str, str], tuple[Path, ...]] = {
    SERVICE: parse_paths("spec.clusterIP", "spec.clusterIPs[]", "spec.loadBalancerIP", "spec.externalIPs[]"),
    ("gateway.networking.k8s.io", "Gateway"): parse_paths("spec.addresses[].value"),
    ("networking.k8s.io", "ServiceCIDR"): parse_paths("spec.cidrs[]"),
    ("metallb.io", "IPAddressPool"): parse_paths("spec.addresses[]"),
    ("cilium.io", "CiliumLoadBalancerIPPool"): parse_paths(
        "spec.blocks[].cidr", "spec.blocks[].start", "spec.blocks[].stop"
    ),
    ("crd.projectcalico.org", "IPPool"): parse_paths("spec.cidr"),
}
"""(group, kind) → the fields in which its author asks for addresses, or gives a range of them to hand out."""

ADDRESS_ANNOTATIONS = frozenset(
    {
        "metallb.io/loadBalancerIPs",
        "metallb.universe.tf/loadBalancerIPs",
        "kube-vip.io/loadbalancerIPs",
        "lbipam.cilium.io/ips",
        "io.cilium/lb-ipam-ips",
        "service.beta.kubernetes.io/azure-load-balancer-ipv4",
        "service.beta.kubernetes.io/azure-load-balancer-ipv6",
        "service.beta.kubernetes.io/aws-load-balancer-private-ipv4-addresses",
        "loadbalancer.openstack.org/load-balancer-address",
    }
)
"""Annotations of a Service that ask its load balancer for an address, or for several, separated by commas."""

ANNOTATIONS: Path = ("metadata", "annotations")


def asks(kind: tuple[str, str], place: Sequence[str | int]) -> bool:
    """Return whether an object of a (group, kind) asks for an address at a place: steps of a path or of a pointer."""
    if kind == SERVICE and tuple(place[:2]) == ANNOTATIONS:
        return len(place) > len(ANNOTATIONS) and place[2] in ADDRESS_ANNOTATIONS
    return any(_same(path, place) for path in REQUESTS.get(kind, ()))


def _same(path: Path, place: Sequence[str | int]) -> bool:
    return len(path) == len(place) and all(
        str(at).isdecimal() if step is EACH else step == at for step, at in zip(path, place, strict=True)
    )


def requested(obj: Object) -> frozenset[str]:
    """Return the addresses that an object asks for."""
    kind = type_of(obj)
    values: list[Any] = [value for path in REQUESTS.get(kind, ()) for _, value in found(obj, path)]
    if kind == SERVICE:
        notes = annotations_of(obj)
        values += [part.strip() for key in ADDRESS_ANNOTATIONS & notes.keys() for part in str(notes[key]).split(",")]
    return frozenset(value for value in values if isinstance(value, str) and value not in ("", "None"))


def repeats(obj: Object, place: Sequence[str | int], value: str) -> bool:
    """Return whether a value is only repeated there: in kubectl's copy of an object that asks for it."""
    return tuple(place) == (*ANNOTATIONS, LAST_APPLIED) and value in requested(obj)
