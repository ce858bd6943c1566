"""Derive the chain of look-ups for a value of the source cluster, from the links between its objects.

| the value is | its chain |
| --- | --- |
| of a pod of a StatefulSet, or named after its owner and a number | the owner → its pod of that name |
| of a pod of a Deployment, Rollout, CronJob… | the owner → its newest ReplicaSet or Job → its ready pods, by name, #n |
| of any other owned pod | the owner → its ready pods, by name, #n |
| of a bare pod, or of an owned one whose siblings are unknown | the pod |
| of a node | the node of that name, else by roles and number |
| anything else, all uids | the object itself, of the same name |

The number counts the ready pods of the same ReplicaSet or Job, and the pod itself. SourceIndex holds the links, and
Known the values as well: addresses and uids, each with its owner. No cluster is read, and a value whose origin is not
in the links gets no chain.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.links import links_of, owner_ref
from kubeferry.tasks.core.kube.objects import Ref, labels_of
from kubeferry.tasks.core.lookup.chain import Chain
from kubeferry.tasks.core.lookup.follow import family_of, is_ready, roles_of
from kubeferry.tasks.core.lookup.index import UID, Index
from kubeferry.tasks.core.lookup.steps import Named, Newest, Nodes, Pods, Read, Start, Step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.formats.links import Links
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.lookup.index import Source


POD = ("", "Pod")
NODE = ("", "Node")

GENERATED = frozenset({("apps", "ReplicaSet"), ("batch", "Job")})
"""Kinds that have generated names if they have a controller."""

BUILT_IN = frozenset({"", "apps", "batch"})

BEGINS: tuple[tuple[tuple[str, str], str, str], ...] = (
    (POD, "/status/podIP", "podIP"),
    (POD, "/status/hostIP", "hostIP"),
    (POD, "/metadata/name", "name"),
    (POD, "/spec/nodeName", "nodeName"),
    (("", "Service"), "/spec/clusterIP", "clusterIP"),
    (("", "Service"), "/status/loadBalancer/ingress/", "ingress"),
    (("networking.k8s.io", "Ingress"), "/status/loadBalancer/ingress/", "ingress"),
    (("gateway.networking.k8s.io", "Gateway"), "/status/addresses/", "addresses"),
    (NODE, "/status/addresses/", "nodeAddress"),
    (NODE, "/metadata/name", "name"),
    (("", "Endpoints"), "/subsets/", "endpoint"),
    (("discovery.k8s.io", "EndpointSlice"), "/endpoints/", "endpoint"),
)
"""((group, kind), prefix of the pointer) → what a chain reads there; a uid is read of any kind."""


@dataclass(frozen=True, slots=True)
class _Known:
    links: Links
    ready: bool


@dataclass(slots=True)
class SourceIndex:
    """Links, readiness and node labels of the source cluster's objects; filled in any order."""

    _known: dict[Ref, _Known] = field(default_factory=dict)
    _pods: dict[tuple[str, Ref], list[Ref]] = field(default_factory=dict)
    _ready: dict[tuple[str, Ref], list[Ref]] = field(default_factory=dict)
    _roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _alike: dict[tuple[str, ...], set[str]] = field(default_factory=dict)

    def add(self, ref: Ref, links: Links, *, ready: bool = True, labels: Iterable[str] = ()) -> None:
        """Add one object, in the backup or not; `labels` are the keys of its labels, which matter for nodes only."""
        self._known[ref] = _Known(links, ready)
        if _kind(ref) == POD and (owner := self.controller(ref)) is not None:
            self._pods.setdefault((ref.namespace, owner), []).append(ref)
            self._ready.pop((ref.namespace, owner), None)
        if _kind(ref) == NODE:
            self._roles[ref.name] = roles_of(labels)
            self._alike.setdefault(self._roles[ref.name], set()).add(ref.name)

    def links(self, ref: Ref) -> Links | None:
        """Return the links of an object, or None for an unknown one."""
        known = self._known.get(ref)
        return known.links if known is not None else None

    def controller(self, ref: Ref) -> Ref | None:
        """Return the controller of an object, if it has one."""
        links = self.links(ref)
        owner = next((each for each in links.owners if each.controller), None) if links is not None else None
        if owner is None:
            return None
        wide = owner_ref(owner, "")  # an owner may be cluster-scoped, which its reference does not show
        return wide if wide in self._known else owner_ref(owner, ref.namespace)

    def ordinal(self, pod: Ref, owner: Ref) -> tuple[int, int]:
        """Return the position of `pod` among the ready pods of the same owner, by name, and their number with it."""
        key = (pod.namespace, owner)
        if key not in self._ready:
            self._ready[key] = sorted(each for each in self._pods.get(key, ()) if self._known[each].ready)
        some = self._ready[key]
        at = bisect_left(some, pod)
        return at, len(some) if some[at : at + 1] == [pod] else len(some) + 1

    def alike(self, node: str) -> tuple[tuple[str, ...], list[str]]:
        """Return the roles of a node, and the names of all nodes with the same roles."""
        roles = self._roles.get(node, ())
        return roles, sorted(self._alike.get(roles, set()) | {node})


def chain_of(source: Source, around: SourceIndex, value: str = "") -> Chain | None:
    """Return the chain to the value of `source` on any cluster.

    None if its object is of a kind that has no such value. The address family is that of the old value, which is
    `value` if the links do not hold it.
    """
    read = _read(source, around, value)
    if read is None:
        return None
    return Chain((*_way(source.ref, around), read))


def _read(source: Source, around: SourceIndex, old: str) -> Read | None:
    if source.pointer == UID:
        return Read("uid")
    what = next(
        (what for kind, at, what in BEGINS if kind == _kind(source.ref) and source.pointer.startswith(at)), None
    )
    if what in ("name", "nodeName"):
        return Read(what)
    links = around.links(source.ref)
    value = links.addresses.get(source.pointer, "") if links is not None else ""
    if what is None or links is None or not value:
        return Read(what, family_of(old) if old else "") if what else None
    begins = {at for kind, at, each in BEGINS if kind == _kind(source.ref) and each == what}
    values = [each for at, each in links.addresses.items() if at.startswith(tuple(begins))]
    family = family_of(value)
    return Read(what, family, [each for each in dict.fromkeys(values) if family_of(each) == family].index(value))


def _way(ref: Ref, around: SourceIndex) -> tuple[Step, ...]:
    if _kind(ref) == NODE:
        roles, names = around.alike(ref.name)
        return (Nodes(ref.name, roles, names.index(ref.name)),)
    if _kind(ref) == POD:
        return _way_to_pod(ref, around)
    maker = around.controller(ref) if _kind(ref) in GENERATED else None
    return (Start(ref),) if maker is None else (Start(maker), Newest(ref.group, ref.kind))


def _way_to_pod(pod: Ref, around: SourceIndex) -> tuple[Step, ...]:
    owner = around.controller(pod)
    if owner is None or _kind(owner) == NODE:
        return (Start(pod),)
    if has_fixed_name(pod, owner):
        return (Start(owner), Named(pod.name))
    return (*_way(owner, around), Pods(*around.ordinal(pod, owner)))


def has_fixed_name(pod: Ref, owner: Ref) -> bool:
    """Return whether a pod has the same name wherever its owner creates it.

    True for StatefulSets, and for owners of other groups whose pods are named after them and a number, such as
    CloudNativePG's and Strimzi's.
    """
    before, number = pod.name[: len(owner.name) + 1], pod.name[len(owner.name) + 1 :]
    numbered = before == f"{owner.name}-" and number.isdecimal()
    return _kind(owner) == ("apps", "StatefulSet") or (owner.group not in BUILT_IN and numbered)


def _kind(ref: Ref) -> tuple[str, str]:
    return ref.group, ref.kind


class Known:
    """Index and links of the source cluster. A plain class: Prefect would visit every value of a dataclass."""

    def __init__(self) -> None:
        """Start empty."""
        self.index = Index()
        self.around = SourceIndex()

    def add(self, obj: Object) -> None:
        """Add the values of one live object."""
        ref, links = Ref.of(obj).shared(), links_of(obj)
        ready = (ref.group, ref.kind) != POD or is_ready(obj)
        self.index.add(ref, links, ready=ready)
        if links.owners or links.addresses or ref.kind == "Node":  # all others start chains of their own
            self.around.add(ref, links, ready=ready, labels=labels_of(obj))
