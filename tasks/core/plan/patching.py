"""The JSON patch (RFC 6902) by which values that come late get into an object that is there.

It tests first that each list item on the way, and each value in the way, is the one meant: others may have added items
meanwhile. Such a patch is refused as a whole (422), and has to be made anew from the live object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.plan.late_values import pointer_of, steps_of, value_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kubeferry.tasks.core.jsondoc.edit import Object

Operation = dict[str, Any]
"""One operation of a JSON patch (RFC 6902)."""

NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Dropped:
    """JSON pointers of strings that have no new value and are to go, as they stand in the whole object."""

    before: frozenset[str] = NONE
    """Those that the object was created without."""
    now: frozenset[str] = NONE
    """Those that it has yet: with what reaches nothing in their place."""


def patch(
    live: Object, wanted: Object, pointers: Iterable[str], dropped: Dropped = Dropped(), sent: Object | None = None
) -> list[Operation]:
    """Return the JSON patch that puts the strings of `wanted` at `pointers` into `live`.

    Args:
        live: the object as the API server gave it.
        wanted: the whole object, with the strings in it that are dropped: pointers are places in it.
        pointers: the strings to write.
        dropped: the strings that go.
        sent: the object as it was created: a string goes only where it is still what was written.
    """
    operations: list[Operation] = []
    places = {pointer: _moved(wanted, steps_of(pointer), dropped.before) for pointer in dict.fromkeys(pointers)}
    for pointer, at in places.items():
        if pointer not in dropped.before | dropped.now:
            operations += _write(live, operations, at, value_at(wanted, steps_of(pointer)))
    gone = [_moved(wanted, steps_of(pointer), dropped.before) for pointer in dropped.now]
    for at in sorted(gone, key=_place, reverse=True):  # a later item of a list first: the others keep their places
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
    """Return where a string is once items of lists before it are gone."""
    at, lost = list(steps), [steps_of(each) for each in gone]
    for depth, step in enumerate(steps):
        if isinstance(value_at(wanted, steps[:depth]), list):
            before = [each for each in lost if each[:-1] == list(steps[:depth]) and int(each[-1]) < int(step)]
            at[depth] = str(int(step) - len(before))
    return at


def _place(at: Sequence[str]) -> list[tuple[int, str]]:
    """Return the order of places: items of a list by number."""
    return [(int(step), "") if step.isdecimal() else (-1, step) for step in at]


def _tests(live: Object, steps: Sequence[str]) -> list[Operation]:
    """Return a test of the name of each list item on the way that has one."""
    tests = []
    for depth in range(1, len(steps)):
        name = value_at(live, [*steps[:depth], "name"])
        if isinstance(name, str) and isinstance(value_at(live, steps[: depth - 1]), list):
            tests.append({"op": "test", "path": pointer_of([*steps[:depth], "name"]), "value": name})
    return tests


def _parents(live: Object, before: list[Operation], steps: Sequence[str]) -> list[Operation]:
    """Return what makes the maps on the way that are not there: an API server drops an empty `data`."""
    made = {operation["path"] for operation in before if operation["op"] == "add"}
    ways = [pointer_of(steps[:depth]) for depth in range(1, len(steps)) if value_at(live, steps[:depth]) is None]
    return [{"op": "add", "path": way, "value": {}} for way in ways if way not in made]
