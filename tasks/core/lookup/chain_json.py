"""Steps of a chain as JSON, and back: what anybody may have written is refused as damaged if it has another shape.

No value is ever quoted in an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.kube.objects import NAMESPACE, Ref, is_segment
from kubeferry.tasks.core.lookup.steps import READS, Family, Named, Newest, Nodes, Pods, Read, Start, Step

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 1024
"""Items of a list: more steps, path elements and roles than any cluster has."""

HIGHEST = 2**31 - 1
"""An ordinal or a count: more pods, nodes and addresses than any cluster has, and bash can count so far."""

LONGEST = 100_000
"""Characters of a string: a pointer is as long as its keys, a user's token as its user likes."""


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
    """Return the step that step_to_json wrote; fields that a later version added are ignored.

    Raises:
        DamagedError: `value` is anything else.
    """
    step = a_map(value, "step").get("step")
    make = _MAKERS.get(step) if isinstance(step, str) else None
    if make is None:
        raise DamagedError("bindings: a step of unknown kind")
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
    """Return `value`, which must be a list of no absurd length."""
    if not isinstance(value, list) or len(value) > MOST:
        raise DamagedError(f"bindings: {what} must be a list")
    return value


def a_text(value: Any, what: str) -> str:
    """Return the field `what` of `value`, which must be a string of no absurd length."""
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
        raise DamagedError("bindings: it reads what no chain can")
    known: Family | None = next((each for each in get_args(Family) if each == family), None)
    if known is None:
        raise DamagedError("bindings: family must be one of addresses")
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
