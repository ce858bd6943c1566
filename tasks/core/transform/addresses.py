"""Give up what a Service or a Gateway asks for and the target cannot grant: addresses, and families of addresses.

An address is refused where the target's Services have no such range or family, or where another object has it. The
Service then comes without the request, and the target gives it another address. Node ports: node_ports.py.

Sources: kubernetes.io, Service ClusterIP allocation, IPv4/IPv6 dual-stack; KEP-1880 (ServiceCIDR).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import EACH, GONE, Object, Path, change, found, get, remove
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED, as_kubectl, parsed
from kubeferry.tasks.core.kube.objects import Ref, annotations_of
from kubeferry.tasks.core.kube.requests import ADDRESS_ANNOTATIONS, requested

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Range = ipaddress.IPv4Network | ipaddress.IPv6Network

INNER: tuple[Path, ...] = (("spec", "clusterIP"), ("spec", "clusterIPs", EACH))
GATEWAY_ADDRESS: Path = ("spec", "addresses", EACH, "value")

SHARED = (
    "metallb.io/allow-shared-ip",
    "metallb.universe.tf/allow-shared-ip",
    "lbipam.cilium.io/sharing-key",
    "io.cilium/lb-ipam-sharing-key",
)
"""Annotations with which several Services may have one address of a load balancer."""


@dataclass(frozen=True, slots=True)
class Refused:
    """One request that the target cannot grant."""

    at: str
    """JSON pointer of the field."""
    what: str
    """The address, or the families: `10.96.7.7`."""
    why: str
    holder: Ref | None = None
    """What has the address on the target."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """The ranges of addresses that a cluster gives to Services; nothing is known where there are none."""

    networks: tuple[Range, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Ranges:
        """Return the ranges written as `10.96.0.0/12`."""
        return cls(tuple(ipaddress.ip_network(text, strict=False) for text in texts))

    @property
    def families(self) -> frozenset[str]:
        """Return the address families: `IPv4`, `IPv6`."""
        return frozenset(f"IPv{each.version}" for each in self.networks)

    def refusal(self, address: str) -> str:
        """Return why no Service of the cluster can have an address, or ""."""
        try:
            value = ipaddress.ip_address(address)
        except ValueError:
            return ""
        if not self.networks or any(value in each for each in self.networks):
            return ""
        if f"IPv{value.version}" not in self.families:
            return f"the target has {' and '.join(sorted(self.families))} only"
        return f"not in the range of the target's Services ({', '.join(map(str, self.networks))})"


@dataclass(slots=True)
class Taken:
    """What Services and Gateways of the target have."""

    inner: dict[str, Ref] = field(default_factory=dict)
    """Cluster IPs."""
    outer: dict[str, Ref] = field(default_factory=dict)
    """Addresses of load balancers and Gateways."""
    external: dict[tuple[str, int, str], Ref] = field(default_factory=dict)
    """External address, port and protocol: kube-proxy serves each from one Service."""
    own: dict[Ref, Object] = field(default_factory=dict)

    @classmethod
    def by(cls, objects: Iterable[Object]) -> Taken:
        """Return what live objects have."""
        taken = cls()
        for obj in objects:
            ref = Ref.of(obj)
            taken.own[ref] = obj
            inner = {value for path in INNER for _, value in found(obj, path)}
            given = [value for path in _GIVEN for _, value in found(obj, path)]
            outer = {*given, *(requested(obj) - inner - {value for _, value, _ in _external(obj)})}
            taken.inner |= dict.fromkeys(_texts(inner), ref)
            taken.outer |= dict.fromkeys(_texts(outer), ref)
            taken.external |= {(value, *each): ref for _, value, ports in _external(obj) for each in ports}
        return taken


_GIVEN: tuple[Path, ...] = (("status", "loadBalancer", "ingress", EACH, "ip"), ("status", "addresses", EACH, "value"))


def _texts(values: Iterable[Any]) -> Iterator[str]:
    return (value for value in values if isinstance(value, str) and value not in ("", "None"))


def _external(obj: Object) -> Iterator[tuple[str, str, list[tuple[int, str]]]]:
    """Yield the pointer and the value of each external address, with the ports that a Service has there."""
    ports = [(get(port, "port"), get(port, "protocol") or "TCP") for _, port in found(obj, ("spec", "ports", EACH))]
    for at, value in found(obj, ("spec", "externalIPs", EACH)):
        if isinstance(value, str):
            yield at, value, ports


def asks(obj: Object) -> bool:
    """Return whether a Service or a Gateway asks for anything that a target may refuse."""
    families = get(obj, "spec", "ipFamilies") or get(obj, "spec", "ipFamilyPolicy")
    return bool(requested(obj) or families)


def refused(obj: Object, ranges: Ranges, taken: Taken, live: Object | None = None) -> list[Refused]:
    """Return what of an object's requests the target cannot grant; `live` is the object as it has it already, if so."""
    ref = Ref.of(obj)
    outer = {address: holder for address, holder in taken.outer.items() if holder != ref}
    return [
        *_inner(obj, ranges, {address: by for address, by in taken.inner.items() if by != ref}, live),
        *_families(obj, ranges),
        *(() if annotations_of(obj).keys() & set(SHARED) else _outer(obj, outer)),
        *(
            Refused(at, value, f"used by {holders[0]} with the same port", holders[0])
            for at, value, ports in _external(obj)
            if (holders := [by for each in ports if (by := taken.external.get((value, *each))) not in (None, ref)])
        ),
    ]


def _inner(obj: Object, ranges: Ranges, taken: Mapping[str, Ref], live: Object | None) -> Iterator[Refused]:
    """Yield the cluster IPs that cannot be had: without the first, the second one is given up too."""
    has = {value for path in INNER for _, value in found(live or {}, path)}
    wanted: dict[str, str] = {}
    for path in INNER:
        for at, value in found(obj, path):
            if isinstance(value, str) and value not in ("", "None"):
                wanted.setdefault(value, at)
    first = ""
    for number, (value, at) in enumerate(wanted.items()):
        holder = taken.get(value)
        why = f"used by {holder}" if holder else ranges.refusal(value)
        why = why or ("the Service that is there has another one" if has and value not in has else first)
        if why:
            yield Refused(at, value, why, holder)
            first = first if number else "it goes with the first one"


def _families(obj: Object, ranges: Ranges) -> Iterator[Refused]:
    wanted = get(obj, "spec", "ipFamilies")
    lacking = [each for each in wanted if each not in ranges.families] if isinstance(wanted, list) else []
    if lacking and ranges.networks and not _free_of_families(obj):
        there = " and ".join(sorted(ranges.families))
        yield Refused("/spec/ipFamilies", " and ".join(map(str, lacking)), f"the target has {there} only")


def _free_of_families(obj: Object) -> bool:
    """Return whether a Service may have families that its cluster lacks: headless with no selector, or a mere name."""
    headless = get(obj, "spec", "clusterIP") == "None" and not get(obj, "spec", "selector")
    return headless or get(obj, "spec", "type") == "ExternalName"


def needs_both(obj: Object, ranges: Ranges) -> bool:
    """Return whether a Service requires two families (RequireDualStack) and the target has one: its author decides."""
    required = get(obj, "spec", "ipFamilyPolicy") == "RequireDualStack"
    return required and len(ranges.families) == 1 and not _free_of_families(obj)


def _outer(obj: Object, taken: Mapping[str, Ref]) -> Iterator[Refused]:
    places = [*found(obj, ("spec", "loadBalancerIP")), *found(obj, GATEWAY_ADDRESS)]
    for at, value in places:
        if isinstance(value, str) and value in taken:
            yield Refused(at, value, f"used by {taken[value]}", taken[value])
    for key, text in sorted(annotations_of(obj).items()):
        held = [part.strip() for part in str(text).split(",") if part.strip() in taken]
        if held and key in ADDRESS_ANNOTATIONS:
            at = "/metadata/annotations/" + key.replace("~", "~0").replace("/", "~1")
            yield Refused(at, held[0], f"used by {taken[held[0]]}", taken[held[0]])


def given_up(obj: Object, gone: Sequence[Refused]) -> Object:
    """Return an object without requests that are refused, in kubectl's copy too."""
    bare = _without(obj, gone)
    applied = parsed(annotations_of(obj).get(LAST_APPLIED))
    if applied is None:
        return bare
    less = _without(applied, gone)
    return (
        bare if less == applied else change(bare, ("metadata", "annotations", LAST_APPLIED), lambda _: as_kubectl(less))
    )


def unasked(obj: Object) -> Object:
    """Return a Service that asks for no cluster IP and no family, as any cluster takes it; headless stays headless."""
    gone = [Refused(at, value, "") for path in INNER for at, value in found(obj, path) if value not in ("", "None")]
    families = get(obj, "spec", "ipFamilies")
    if isinstance(families, list):
        gone.append(Refused("/spec/ipFamilies", " and ".join(map(str, families)), ""))
    return given_up(obj, gone)


def _without(obj: Object, gone: Sequence[Refused]) -> Object:
    addresses = {each.what for each in gone if each.at != "/spec/ipFamilies"}
    lost = {word for each in gone if each.at == "/spec/ipFamilies" for word in each.what.split(" and ")}
    for path in (*INNER, ("spec", "loadBalancerIP"), ("spec", "externalIPs", EACH)):
        obj = change(obj, path, lambda value: GONE if value in addresses else value)
    obj = change(obj, ("spec", "addresses", EACH), lambda one: GONE if get(one, "value") in addresses else one)
    obj = change(obj, ("spec", "ipFamilies", EACH), lambda value: GONE if value in lost else value)
    for key in ADDRESS_ANNOTATIONS & annotations_of(obj).keys():
        if addresses & {part.strip() for part in str(annotations_of(obj)[key]).split(",")}:
            obj = remove(obj, ("metadata", "annotations", key))
    for name in ("clusterIPs", "externalIPs", "addresses", "ipFamilies"):
        obj = change(obj, ("spec", name), lambda value: GONE if value == [] else value)
    return obj


def named_by_author(obj: Object, refusal: Refused) -> bool:
    """Return whether kubectl's copy of an object asks for exactly this: it is what its author wrote."""
    applied = parsed(annotations_of(obj).get(LAST_APPLIED))
    if applied is None:
        return False
    if refusal.at != "/spec/ipFamilies":
        return refusal.what in requested(applied)
    prefers = get(applied, "spec", "ipFamilyPolicy") == "PreferDualStack"
    return get(applied, "spec", "ipFamilies") is not None and not prefers
