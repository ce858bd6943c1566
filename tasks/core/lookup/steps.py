"""The steps of a chain, and their JSON: how to get from one object to the next, and what to read at the end.

Steps are plain values that know no cluster: follow.py walks them, and text() shows each to people. Their JSON may come
from anyone: any other shape is refused as damaged, and errors never quote a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.jsondoc.edit import EACH, Path
from kubeferry.tasks.core.kube.objects import NAMESPACE, Ref, is_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


Family = Literal["", "IPv4", "IPv6", "host"]
"""The address family: a value is never replaced by one of another family; "" if it is no address."""

READS: Mapping[str, tuple[Path, ...]] = {
    "podIP": (("status", "podIPs", EACH, "ip"), ("status", "podIP")),
    "hostIP": (("status", "hostIPs", EACH, "ip"), ("status", "hostIP")),
    "clusterIP": (("spec", "clusterIPs", EACH), ("spec", "clusterIP")),
    "ingress": (
        ("status", "loadBalancer", "ingress", EACH, "ip"),
        ("status", "loadBalancer", "ingress", EACH, "hostname"),
    ),
    "addresses": (("status", "addresses", EACH, "value"),),
    "nodeAddress": (("status", "addresses", EACH, "address"),),
    "endpoint": (("subsets", EACH, "addresses", EACH, "ip"), ("endpoints", EACH, "addresses", EACH)),
    "uid": (("metadata", "uid"),),
    "name": (("metadata", "name"),),
    "nodeName": (("spec", "nodeName"),),
}
"""What a chain reads → the fields that hold it; a value in several of them counts once, at its first place."""

SHOWN: Mapping[str, str] = {
    "podIP": "status.podIP",
    "hostIP": "status.hostIP",
    "clusterIP": "spec.clusterIP",
    "ingress": "status.loadBalancer.ingress",
    "addresses": "status.addresses",
    "nodeAddress": "status.addresses",
    "endpoint": "addresses",
    "uid": "metadata.uid",
    "name": "metadata.name",
    "nodeName": "spec.nodeName",
}


@dataclass(frozen=True, slots=True)
class Start:
    """The object where a chain starts."""

    ref: Ref

    def text(self) -> str:
        """Return the step as text for people."""
        return str(self.ref)


@dataclass(frozen=True, slots=True)
class Named:
    """A pod with a fixed name, of the object before: a StatefulSet's."""

    name: str

    def text(self) -> str:
        """Return the step as text for people."""
        return f"its pod {self.name}"


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest object of a kind under the controller before: a Deployment's ReplicaSet, a CronJob's Job."""

    group: str
    kind: str

    def text(self) -> str:
        """Return the step as text for people."""
        return f"its newest {self.kind}"


@dataclass(frozen=True, slots=True)
class Pods:
    """One of the ready pods of the object before, by name: the `ordinal`th of the `of` that were ready."""

    ordinal: int
    of: int

    def text(self) -> str:
        """Return the step as text for people."""
        return f"its pods, ready, by name, #{self.ordinal}"


@dataclass(frozen=True, slots=True)
class Nodes:
    """A node: the one of the same name if it exists, else the `ordinal`th by name of those with these roles."""

    name: str
    roles: tuple[str, ...]
    ordinal: int

    def text(self) -> str:
        """Return the step as text for people."""
        roles = f"nodes with role {'+'.join(self.roles)}" if self.roles else "nodes without a role"
        return f"Node {self.name}, else {roles}, by name, #{self.ordinal}"


@dataclass(frozen=True, slots=True)
class Read:
    """The value at the end: the `index`th of its family among the fields of READS, or what is at `path`."""

    what: str
    family: Family = ""
    index: int = 0
    path: tuple[str | int, ...] = ()
    """For `what` "path" only: keys and list indexes, from a user's annotation."""

    def text(self) -> str:
        """Return the step as text for people."""
        if self.what == "path":
            return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)[1:]
        which = f"[{self.index}]" if self.index or self.what in ("ingress", "addresses", "nodeAddress") else ""
        family = f" ({self.family})" if self.family in ("IPv6", "host") else ""
        return f"{SHOWN[self.what]}{which}{family}"


Step = Start | Named | Newest | Pods | Nodes | Read


MOST = 1024
"""Most items of a list: more steps, path elements and roles than any cluster has."""

HIGHEST = 2**31 - 1
"""Highest ordinal or count: more pods, nodes and addresses than any cluster has, and within bash's integers."""

LONGEST = 100_000
"""Most characters of a string: a pointer is as long as its keys, a user's token has any length."""


def step_to_json(step: Step) -> dict[str, Any]:
    """Return one step as JSON."""
    match step:
        case Start(ref):
            return {"step": "start", "ref": ref_to_json(ref)}
        case Named(name):
            return {"step": "named", "name": name}
        case Newest(group, kind):
            return {"step": "newest", "group": group, "kind": kind}
        case Pods(ordinal, of):
            return {"step": "pods", "ordinal": ordinal, "of": of}
        case Nodes(name, roles, ordinal):
            return {"step": "nodes", "name": name, "roles": list(roles), "ordinal": ordinal}
        case Read(what, family, index, path):
            return {"step": "read", "what": what, "family": family, "index": index, "path": list(path)}


def step_from_json(value: Any) -> Step:
    """Return the step that step_to_json wrote; fields of later versions are ignored.

    Raises:
        DamagedError: `value` is anything else.
    """
    step = a_map(value, "step").get("step")
    make = _MAKERS.get(step) if isinstance(step, str) else None
    if make is None:
        raise DamagedError("bindings: unknown step")
    return make(value)


def ref_to_json(ref: Ref) -> list[str]:
    """Return an identity as JSON."""
    return [ref.group, ref.kind, ref.namespace, ref.name]


def ref_from_json(value: Any) -> Ref:
    """Return the identity that ref_to_json wrote.

    Raises:
        DamagedError: `value` is anything else.
    """
    match a_list(value, "ref"):
        case [str(group), str(kind), str(namespace), str(name)] if is_segment(kind) and is_segment(name):
            if NAMESPACE.fullmatch(namespace or "none") and is_segment(group or "none"):
                return Ref(group, kind, namespace, name)
    raise DamagedError("bindings: ref must be group, kind, namespace and name")


def a_map(value: Any, what: str) -> dict[str, Any]:
    """Return `value`, which must be a map."""
    if not isinstance(value, dict):
        raise DamagedError(f"bindings: {what} must be a map")
    return value


def a_list(value: Any, what: str) -> list[Any]:
    """Return `value`, which must be a list within the limit."""
    if not isinstance(value, list) or len(value) > MOST:
        raise DamagedError(f"bindings: {what} must be a list")
    return value


def a_text(value: Any, what: str) -> str:
    """Return the field `what` of `value`, which must be a string within the limit."""
    text = a_map(value, "step").get(what)
    if not isinstance(text, str) or len(text) > LONGEST:
        raise DamagedError(f"bindings: {what} must be a string")
    return text


def _a_name(value: Any, what: str) -> str:
    text = a_text(value, what)
    if not is_segment(text):
        raise DamagedError(f"bindings: {what} must be a name")
    return text


def _count(value: Any, what: str) -> int:
    number = value.get(what)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= HIGHEST:
        raise DamagedError(f"bindings: {what} must be a number from 0 to {HIGHEST}")
    return number


def _nodes(value: Any) -> Nodes:
    roles = a_list(value.get("roles"), "roles")
    if not all(isinstance(role, str) for role in roles):
        raise DamagedError("bindings: roles must be strings")
    return Nodes(_a_name(value, "name"), tuple(roles), _count(value, "ordinal"))


def _read(value: Any) -> Read:
    what, family = a_text(value, "what"), a_text(value, "family")
    if what not in READS and what != "path":
        raise DamagedError("bindings: unknown field to read")
    known: Family | None = next((each for each in get_args(Family) if each == family), None)
    if known is None:
        raise DamagedError("bindings: unknown address family")
    path = a_list(value.get("path"), "path")
    if not all(isinstance(each, str | int) and not isinstance(each, bool) for each in path):
        raise DamagedError("bindings: path must hold keys and indexes")
    return Read(what, known, _count(value, "index"), tuple(path))


_MAKERS: dict[str, Callable[[Any], Step]] = {
    "start": lambda value: Start(ref_from_json(value.get("ref"))),
    "named": lambda value: Named(_a_name(value, "name")),
    "newest": lambda value: Newest(a_text(value, "group"), _a_name(value, "kind")),
    "pods": lambda value: Pods(_count(value, "ordinal"), _count(value, "of")),
    "nodes": _nodes,
    "read": _read,
}
