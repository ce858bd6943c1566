"""How to remove an edge of a cycle: create anyway, set an owner later, or create a field without its value.

- A reference: nothing to do. The API server accepts the name of an object that does not exist, and its reader waits.
- An owner: the object is created without it and re-linked, because ownerReferences can always be patched.
- A binding: its value is not known when the object is created. Data of a ConfigMap or Secret, labels and annotations
  are created without the key, so that no client reads a wrong value. So is a field that acts, by which Kubernetes
  routes or lets through (acting_fields.py). Any other string (an argument of a program, a field of a custom resource)
  holds a placeholder of the same form that reaches nothing (RFC 5737, 3849, 2606), so that it passes the same
  validation. All are patched as soon as the value is known.
- A binding in an immutable field, or in a field that acts and cannot be left out: impossible, and reported in the plan.
  For Kubernetes' own kinds tables say so (kube/immutable_fields.py), for a custom resource the `self == oldSelf` rules
  of its CRD.

A late value is written by a JSON patch (RFC 6902). It first tests that each list item on its path, and each value to
replace, is the expected one: others may have added items meanwhile. The server refuses such a patch as a whole (422),
and it has to be made again from the live object.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.graph.order import BINDINGS, Edge, Strength, Via
from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.core.kube.immutable_fields import freezes, required_or_frozen
from kubeferry.tasks.core.needs.references.fields import POD_SPEC_AT
from kubeferry.tasks.core.plan.acting_fields import acting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kubeferry.tasks.core.jsondoc.edit import Object


class Means(Enum):
    """How the source of a removed edge is created."""

    NOTHING = "created anyway: a reference may name an object that does not exist yet"
    RELINK = "created without this owner, and re-linked when the owner exists"
    LEAVE_OUT = "created without this key, which is added when its value is known"
    PLACEHOLDER = "created with a placeholder that reaches nothing, and patched when its value is known"
    UNFOLLOWED = "created anyway, before what it needs: the cycle has no weaker edge"
    IMPOSSIBLE = "cannot be restored: this field is immutable, and its value is known only after the create"
    UNSAFE = "cannot be restored: without its value this field lets others in or leads elsewhere, and it is known late"


NEVER = frozenset({Means.IMPOSSIBLE, Means.UNSAFE})
"""With these an object cannot be created before what it needs."""


@dataclass(frozen=True, slots=True)
class Deferral:
    """How one edge of a cycle is removed."""

    edge: Edge
    how: Means
    pointer: str = ""
    """For a binding: JSON pointer (RFC 6901) of the string that uses the value."""

    @property
    def is_problem(self) -> bool:
        """Return whether a plan with this edge cannot be restored."""
        return self.how in NEVER

    def __str__(self) -> str:
        """Return a line for the plan: `Service shop/web ← Deployment.apps shop/web (spec.x): created anyway…`."""
        return f"{self.edge.source} ← {self.edge.target} ({self.edge.why}): {self.how.value}"


def deferral(obj: Object, edge: Edge, schema: Mapping[str, Any] | None = None) -> Deferral:
    """Return how `edge`, whose source is `obj`, can be removed.

    The `why` of a binding is the JSON pointer of its string. `schema` is the openAPIV3Schema of a custom resource's
    version, if it is available.
    """
    if edge.strength in BINDINGS:
        return Deferral(edge, _binding(obj, edge.why, schema), edge.why)
    if edge.strength is Strength.OWNER and edge.via is not Via.OWNER:
        # The controller of such an object deletes it until its target exists (needs/references/find.py, vital).
        return Deferral(edge, Means.IMPOSSIBLE)
    return Deferral(edge, _PLAIN[edge.strength])


def strength_of(obj: Object, pointer: str) -> Strength:
    """Return how strongly `obj` waits for the value at a JSON pointer, by how it can be created without the value."""
    how = _binding(obj, pointer, None)
    if acting(obj, steps_of(pointer)):
        return Strength.FIXED
    if how is Means.LEAVE_OUT:
        return Strength.LATER
    pods = POD_SPEC_AT.get((group_of(obj["apiVersion"]), obj["kind"]), "").rpartition(".")[0].replace(".", "/")
    return Strength.FIXED if how in NEVER or (pods and pointer.startswith(f"/{pods}/")) else Strength.BINDING


_PLAIN: Mapping[Strength, Means] = {
    Strength.REFERENCE: Means.NOTHING,
    Strength.OWNER: Means.RELINK,
    Strength.START: Means.NOTHING,
    Strength.EXPLICIT: Means.UNFOLLOWED,
}


def _binding(obj: Object, pointer: str, schema: Mapping[str, Any] | None) -> Means:
    steps = steps_of(pointer)
    if freezes(obj, steps):
        return Means.IMPOSSIBLE
    if schema is not None:
        rules = required_or_frozen(schema, steps)
        if rules.frozen:
            # A transition rule does not apply to a field that did not exist before (KEP-2876).
            return Means.IMPOSSIBLE if rules.required else Means.LEAVE_OUT
    field = acting(obj, steps)
    if field is not None:
        return Means.LEAVE_OUT if field.part else Means.UNSAFE
    is_data = (obj["apiVersion"], obj["kind"]) in _DATA and steps[0] in ("data", "binaryData", "stringData")
    is_note = steps[0] == "metadata" and steps[1:2] in (["labels"], ["annotations"])
    return Means.LEAVE_OUT if is_data or is_note else Means.PLACEHOLDER


_DATA = {("v1", "ConfigMap"), ("v1", "Secret")}


def part_of(obj: Object, pointer: str) -> str:
    """Return the JSON pointer of what is left out for the string at `pointer`: it, or the field around it that acts."""
    field = acting(obj, steps_of(pointer))
    return field.part if field and field.part else pointer


def without_fields(obj: Object, pointers: Iterable[str]) -> Object:
    """Return `obj` without the map entries at `pointers`; list items stay, and missing entries are ignored."""
    for pointer in pointers:
        obj = _without(obj, steps_of(pointer))
    return obj


def _without(value: Any, steps: Sequence[str]) -> Any:
    head, *rest = steps
    if isinstance(value, list) and head.isdecimal() and int(head) < len(value) and rest:
        return [_without(item, rest) if index == int(head) else item for index, item in enumerate(value)]
    if not isinstance(value, dict) or head not in value:
        return value
    if not rest:
        return {key: kept for key, kept in value.items() if key != head}
    return {**value, head: _without(value[head], rest)}


_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DASHED = re.compile(r"[0-9]{1,3}(-[0-9]{1,3}){3}", re.ASCII)


def placeholder(value: str) -> str:
    """Return the placeholder for `value` until the new one is known: of the same form, and reaching nothing."""
    try:
        return "192.0.2.1" if ipaddress.ip_address(value).version == 4 else "2001:db8::1"  # noqa: PLR2004 - IPv4
    except ValueError:
        if _UID.fullmatch(value):
            return "00000000-0000-4000-8000-000000000000"
        return "192-0-2-1" if _DASHED.fullmatch(value) else "unresolved.invalid"


def value_at(value: Any, steps: Sequence[str]) -> Any:
    """Return the value at `steps`, or None if there is none."""
    for step in steps:
        if isinstance(value, list):
            value = value[int(step)] if step.isdecimal() and int(step) < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def steps_of(pointer: str) -> list[str]:
    """Return the steps of a JSON pointer (RFC 6901)."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.removeprefix("/").split("/")]


def pointer_of(steps: Iterable[str]) -> str:
    """Return the JSON pointer of `steps`."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


Operation = dict[str, Any]
"""One operation of a JSON patch (RFC 6902)."""

NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Dropped:
    """JSON pointers, in the whole object, of strings without a new value, which are removed."""

    before: frozenset[str] = NONE
    """Those that were absent when the object was created."""
    now: frozenset[str] = NONE
    """Those that still hold a placeholder."""


def patch(
    live: Object, wanted: Object, pointers: Iterable[str], dropped: Dropped = Dropped(), sent: Object | None = None
) -> list[Operation]:
    """Return the JSON patch that writes the strings of `wanted` at `pointers` into `live`.

    Args:
        live: the object as the API server returned it.
        wanted: the whole object, including dropped strings: pointers refer to it.
        pointers: the strings to write.
        dropped: the strings to remove.
        sent: the object as it was created: a string is removed only if it still has the value that was written.
    """
    operations: list[Operation] = []
    places = {pointer: _moved(wanted, steps_of(pointer), dropped.before) for pointer in dict.fromkeys(pointers)}
    for pointer, at in places.items():
        if pointer not in dropped.before | dropped.now:
            operations += _write(live, operations, at, value_at(wanted, steps_of(pointer)))
    gone = [_moved(wanted, steps_of(pointer), dropped.before) for pointer in dropped.now]
    for at in sorted(gone, key=_place, reverse=True):  # later items of a list first: the others keep their indexes
        operations += _take_out(live, at, value_at(sent, at))
    return operations


def _write(live: Object, before: list[Operation], at: Sequence[str], new: Any) -> list[Operation]:
    path, old = pointer_of(at), value_at(live, at)
    if new is None or new == old:
        return []
    tests = _tests(live, at)
    if old is not None:
        return [*tests, {"op": "test", "path": path, "value": old}, {"op": "replace", "path": path, "value": new}]
    return [*tests, *_parents(live, before, at), {"op": "add", "path": path, "value": new}]


def _take_out(live: Object, at: Sequence[str], sent: Any) -> list[Operation]:
    path, old = pointer_of(at), value_at(live, at)
    if old is None or old != sent:
        return []
    return [*_tests(live, at), {"op": "test", "path": path, "value": old}, {"op": "remove", "path": path}]


def _moved(wanted: Object, steps: Sequence[str], gone: Iterable[str]) -> list[str]:
    """Return the place of a string after list items before it are removed."""
    at, lost = list(steps), [steps_of(each) for each in gone]
    for depth, step in enumerate(steps):
        if isinstance(value_at(wanted, steps[:depth]), list):
            before = [each for each in lost if each[:-1] == list(steps[:depth]) and int(each[-1]) < int(step)]
            at[depth] = str(int(step) - len(before))
    return at


def _place(at: Sequence[str]) -> list[tuple[int, str]]:
    """Return the sort key of a place: list items by index."""
    return [(int(step), "") if step.isdecimal() else (-1, step) for step in at]


def _tests(live: Object, steps: Sequence[str]) -> list[Operation]:
    """Return a test for the name of each list item on the path that has one."""
    tests = []
    for depth in range(1, len(steps)):
        name = value_at(live, [*steps[:depth], "name"])
        if isinstance(name, str) and isinstance(value_at(live, steps[: depth - 1]), list):
            tests.append({"op": "test", "path": pointer_of([*steps[:depth], "name"]), "value": name})
    return tests


def _parents(live: Object, before: list[Operation], steps: Sequence[str]) -> list[Operation]:
    """Return the operations that create missing maps on the path: an API server drops an empty `data`."""
    made = {operation["path"] for operation in before if operation["op"] == "add"}
    ways = [pointer_of(steps[:depth]) for depth in range(1, len(steps)) if value_at(live, steps[:depth]) is None]
    return [{"op": "add", "path": way, "value": {}} for way in ways if way not in made]
