"""Follow chains through live objects: find a value, find it again later, and decide whether it can still appear.

Pods are found by the uids in ownerReferences, never by labels. A chain has no value (None) until as many pods are ready
as the ordinal was counted among, so that two look-ups at different moments never return the same pod. An object that is
being deleted is ignored.

Followed again, a chain keeps the object that it found before while that exists, whichever comes first by name now.
Re-created pods have other names, and each may replace another by number: a value changes only if its object is gone.

A value cannot appear if its object neither exists on the target nor is restored, if an owner wants no such pod, or if
the cluster lacks the address family. This module never waits, and never promises that a value will appear.
"""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import EACH, Object, found, get
from kubeferry.tasks.core.kube.objects import Ref, annotations_of, controller_of, labels_of
from kubeferry.tasks.core.lookup.chain import FIXED
from kubeferry.tasks.core.lookup.steps import READS, Family, Named, Newest, Nodes, Pods, Read, Start, Step

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from kubeferry.tasks.core.lookup.chain import Chain


POD = ("", "Pod")
NODE = ("", "Node")
ROLE = "node-role.kubernetes.io/"

REVISIONS = ("deployment.kubernetes.io/revision", "rollout.argoproj.io/revision")
"""Annotations with which controllers number their ReplicaSets."""


class Live:
    """Live objects of the target, by identity and by the uid of their controller; built once for many chains."""

    def __init__(self, objects: Iterable[Object]) -> None:
        """Index all objects that the chains ask for, in any order; those being deleted are ignored."""
        self._by_ref: dict[Ref, Object] = {}
        self._owned: dict[tuple[str, tuple[str, str]], list[Object]] = {}
        self._nodes: list[Object] = []
        for obj in objects:
            if not obj["metadata"].get("deletionTimestamp"):
                self._add(obj)

    def _add(self, obj: Object) -> None:
        ref = Ref.of(obj)
        self._by_ref[ref] = obj
        owner = controller_of(obj)
        if owner:
            self._owned.setdefault((owner.get("uid", ""), (ref.group, ref.kind)), []).append(obj)
        if (ref.group, ref.kind) == NODE:
            self._nodes.append(obj)

    def get(self, ref: Ref) -> Object | None:
        """Return an object by identity."""
        return self._by_ref.get(ref)

    def owned(self, owner: Object, kind: tuple[str, str]) -> list[Object]:
        """Return the objects of a kind that `owner` controls, by name."""
        some = self._owned.get((owner["metadata"].get("uid", ""), kind), [])
        return sorted(some, key=lambda obj: obj["metadata"]["name"])

    def nodes(self) -> list[Object]:
        """Return all nodes by name."""
        return sorted(self._nodes, key=lambda obj: obj["metadata"]["name"])


def follow_in(chain: Chain, live: Live) -> str | None:
    """Return the value at the end of `chain`, or None while it (or a step before it) does not exist."""
    at = walk(chain.steps[:-1], live)
    return None if at is None else read(chain.read, at)


def walk(steps: Iterable[Step], live: Live) -> Object | None:
    """Return the object at the end of the steps, or None while it (or a step before it) does not exist."""
    at: Object | None = None
    for step in steps:
        at = _next(step, at, live)
        if at is None:
            return None
    return at


def _next(step: Step, at: Object | None, live: Live) -> Object | None:
    if isinstance(step, Start):
        return live.get(step.ref)
    if isinstance(step, Nodes):
        return _node(step, live)
    if at is None:
        return None
    if isinstance(step, Named):
        pod = live.get(Ref("", "Pod", at["metadata"].get("namespace", ""), step.name))
        return pod if pod is not None and _controls(at, pod) else None
    if isinstance(step, Newest):
        return max(live.owned(at, (step.group, step.kind)), key=_age, default=None)
    pods = ready_pods(step, at, live) if isinstance(step, Pods) else []
    return pods[step.ordinal] if isinstance(step, Pods) and pods else None


def _controls(owner: Object, obj: Object) -> bool:
    reference = controller_of(obj)
    return reference is not None and reference.get("uid") == owner["metadata"].get("uid")


def _age(obj: Object) -> tuple[int, str, str]:
    numbers = [annotations_of(obj).get(name, "") for name in REVISIONS]
    revision = max((int(each) for each in numbers if each.isascii() and each.isdigit()), default=0)
    return revision, obj["metadata"].get("creationTimestamp") or "", obj["metadata"]["name"]


def ready_pods(step: Pods, owner: Object, live: Live) -> list[Object]:
    """Return the owner's ready pods by name; none until `step.of` are ready, or all it wants if these are fewer."""
    ready = [pod for pod in live.owned(owner, POD) if is_ready(pod)]
    wanted = get(owner, "spec", "replicas")
    of = min(step.of, wanted) if isinstance(wanted, int) else step.of
    return ready if len(ready) >= max(of, step.ordinal + 1) else []


def is_ready(pod: Object) -> bool:
    """Return whether a pod counts: it is ready, or has succeeded, as a Job's."""
    if get(pod, "status", "phase") == "Succeeded":
        return True
    conditions = (condition for _, condition in found(pod, ("status", "conditions", EACH)))
    return any(get(each, "type") == "Ready" and get(each, "status") == "True" for each in conditions)


def _node(step: Nodes, live: Live) -> Object | None:
    same = live.get(Ref("", "Node", "", step.name))
    if same is not None:
        return same
    alike = [node for node in live.nodes() if roles_of(labels_of(node)) == step.roles]
    return alike[step.ordinal] if step.ordinal < len(alike) else None


def roles_of(labels: Iterable[str]) -> tuple[str, ...]:
    """Return the roles in a node's labels, sorted (kubernetes.io: well-known labels)."""
    return tuple(sorted(label.removeprefix(ROLE) for label in labels if label.startswith(ROLE)))


def read(step: Read, obj: Object) -> str | None:
    """Return the value that `step` reads from `obj`, or None if it has none."""
    if step.what == "path":
        return _text(_at(obj, step.path))
    values = values_at(step.what, step.family, obj)
    return values[step.index] if step.index < len(values) else None


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        there = isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value)
        if not there and not (isinstance(value, dict) and key in value):
            return None
        value = value[key]
    return value


def _text(value: Any) -> str | None:
    """Return a value as text, as cli-utils' valueToString does: maps and lists as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def values_at(what: str, family: Family, obj: Object) -> list[str]:
    """Return the distinct values of one family in the fields that READS names, in order."""
    all_of_them = (value for path in READS[what] for _, value in found(obj, path))
    if what == "nodeAddress":
        all_of_them = (get(each, "address") for _, each in found(obj, ("status", "addresses", EACH)) if _no_name(each))
    texts = (value for value in all_of_them if isinstance(value, str) and value not in ("", "None"))
    return [value for value in dict.fromkeys(texts) if not family or family_of(value) == family]


def _no_name(address: Any) -> bool:
    """Return whether a node's address is not its name (formats/links.py excludes the same)."""
    return bool(get(address, "type") != "Hostname")


def family_of(value: str) -> Family:
    """Return the family of an address; host names are a family of their own."""
    try:
        return "IPv6" if ipaddress.ip_address(value).version == 6 else "IPv4"  # noqa: PLR2004 - the version of IP
    except ValueError:
        return "host"


Way = tuple[Step, ...]
"""A chain without its last step: chains with the same way read the same object."""


def again(chains: Iterable[Chain], live: Live, held: Mapping[Chain, str]) -> dict[Chain, Object]:
    """Return the objects that chains read now, without those that do not exist.

    Args:
        chains: those to follow.
        live: all that they ask for.
        held: uid of the object that each chain read last time.
    """
    ways: dict[Way, list[Chain]] = {}
    for chain in chains:
        ways.setdefault(chain.steps[:-1], []).append(chain)
    before = {way: next((held[each] for each in some if each in held), "") for way, some in ways.items()}
    now = _of_pods({way: uid for way, uid in before.items() if isinstance(way[-1], Pods)}, live)
    now |= {way: _same_node(way[-1], uid, live) for way, uid in before.items() if isinstance(way[-1], Nodes)}
    found = {way: now[way] if way in now else walk(way, live) for way in ways}
    return {chain: obj for way, some in ways.items() if (obj := found[way]) is not None for chain in some}


def _of_pods(before: Mapping[Way, str], live: Live) -> dict[Way, Object | None]:
    """Return the pod of each way: the previous one, else a pod of its owner that no other way has."""
    now: dict[Way, Object | None] = {}
    for way, uid in before.items():
        owner = walk(way[:-1], live)
        now[way] = next((pod for pod in live.owned(owner, POD) if _uid(pod) == uid), None) if owner else None
    taken = {_uid(pod) for pod in now.values() if pod}
    for way in sorted((way for way, pod in now.items() if not pod), key=_ordinal):
        owner = walk(way[:-1], live)
        free = [pod for pod in _ready(way[-1], owner, live) if _uid(pod) not in taken]
        now[way] = free[0] if free else walk(way, live)
        taken |= {_uid(pod) for pod in free[:1]}
    return now


def _ready(step: Step, owner: Object | None, live: Live) -> list[Object]:
    return ready_pods(step, owner, live) if isinstance(step, Pods) and owner else []


def _ordinal(way: Way) -> tuple[int, str]:
    step = way[-1]
    return step.ordinal if isinstance(step, Pods) else 0, " → ".join(each.text() for each in way)


def _same_node(step: Step, uid: str, live: Live) -> Object | None:
    """Return the previous node while it exists with the same roles, even if another now comes first by name."""
    roles = step.roles if isinstance(step, Nodes) else ()
    same = (node for node in live.nodes() if _uid(node) == uid and roles_of(labels_of(node)) == roles)
    return next(same, None) or walk((step,), live)


def _uid(obj: Object) -> str:
    return str(obj["metadata"].get("uid", ""))


COMPLETE = ("podIP", "hostIP", "clusterIP", "nodeAddress")
"""Addresses that are assigned all at once: if one exists, no other follows."""


def cannot_resolve(chain: Chain, live: Live, coming: Container[Ref]) -> str:
    """Return why the value of a chain cannot appear, in one sentence; "" if it can.

    Args:
        chain: a chain without a value.
        live: all objects that it asks for.
        coming: what the restore creates.
    """
    if isinstance(chain.steps[0], Nodes):
        return _given(chain, live) if walk(chain.steps[:-1], live) else "no such node exists, and none is restored"
    start = chain.start
    if start is None or start in FIXED:
        return ""
    owner = live.get(start)
    if owner is None:
        return "" if start in coming else f"{start} neither exists nor is restored"
    return _no_pods(chain, owner) or _no_address(chain.read, owner) or _given(chain, live)


def _no_pods(chain: Chain, owner: Object) -> str:
    """Return why the owner creates no such pod."""
    wanted, first = get(owner, "spec", "replicas"), get(owner, "spec", "ordinals", "start")
    for step in chain.steps[1:-1]:
        if isinstance(step, Newest) and step.kind == "Job" and get(owner, "spec", "suspend") is True:
            return f"{chain.start} is suspended"
        at = step.ordinal if isinstance(step, Pods) else _number(step.name) if isinstance(step, Named) else None
        if isinstance(step, Named) and at is not None and isinstance(first, int):
            at -= first
        if isinstance(wanted, int) and at is not None and not 0 <= at < wanted:
            return f"{chain.start} wants {wanted} replicas"
    return ""


def _number(name: str) -> int | None:
    number = name.rpartition("-")[2]
    return int(number) if number.isdecimal() else None


def _no_address(read: Read, service: Object) -> str:
    """Return why a Service gets no such address."""
    if service["kind"] != "Service":
        return ""
    of, ip = get(service, "spec", "type"), get(service, "spec", "clusterIP")
    if read.what == "clusterIP" and (ip == "None" or of == "ExternalName"):
        return "the Service has no address of its own"
    return f"the Service is of type {of}" if read.what == "ingress" and of != "LoadBalancer" else ""


def _given(chain: Chain, live: Live) -> str:
    """Return why no further address appears: the object has its addresses, and this one is not among them."""
    read, obj = chain.read, walk(chain.steps[:-1], live)
    if obj is None or read.what not in COMPLETE or not values_at(read.what, "", obj):
        return ""
    return f"it has no {read.family or 'such'} address"
