"""JSON patch (RFC 6902) and JSON merge patch (RFC 7396) on plain values; the input is never modified.

A patch is applied completely or not at all. No message quotes a value of the object, which may be a Secret.
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MISSING = object()

NEEDED = {"add": "value", "remove": "", "replace": "value", "move": "from", "copy": "from", "test": "value"}
"""Operation → the member that it must have besides `op` and `path` (RFC 6902, section 4)."""

_ESCAPE = re.compile(r"~(?![01])")
_DIGITS = 10
"""Most digits of an index: no list of an object is longer."""


class PatchError(ValueError):
    """A patch that does not fit the object: a path that does not exist, an invalid index."""


class TestFailedError(PatchError):
    """A `test` operation found another value."""

    __test__ = False
    """pytest does not collect it."""


def apply_patch(value: Any, operations: Iterable[Mapping[str, Any]]) -> Any:
    """Apply all operations, each `{"op", "path"}` with what `NEEDED` says, to a value and return the result.

    A `test` of what is not there fails. With `"or_missing": True` beside a null value it passes if the key alone is
    missing, as in Velero (`null_at`).

    Raises:
        TestFailedError: a `test` failed.
        PatchError: an operation cannot be applied, is unknown, or lacks a member.
    """
    for each in operations:
        op = each["op"]
        if op not in NEEDED:
            raise PatchError(f"there is no operation {op!r}")
        if NEEDED[op] and NEEDED[op] not in each:
            raise PatchError(f"the operation {op} at {each['path']} has no {NEEDED[op]!r}")
        value = _one(value, op, each)
    return value


def _one(value: Any, op: str, operation: Mapping[str, Any]) -> Any:
    path = operation["path"]
    if op == "test":
        _test(value, path, operation["value"], or_missing=bool(operation.get("or_missing")))
        return value
    if op in ("move", "copy"):
        source, way = operation["from"], steps(path)
        found = deepcopy(at(value, source))
        if op == "move":
            taken = steps(source)
            if len(way) > len(taken) and way[: len(taken)] == taken:
                raise PatchError(f"{source or 'the whole object'} cannot be moved into itself")
            if way == taken:
                return value
            value = _changed(value, taken, MISSING, replace=True, path=source)
        return _changed(value, way, found, replace=False, path=path)
    new = MISSING if op == "remove" else deepcopy(operation["value"])
    return _changed(value, steps(path), new, replace=op != "add", path=path)


def _test(value: Any, path: str, wanted: Any, *, or_missing: bool) -> None:
    steps(path)  # what is no pointer is an error, not a failed test
    try:
        found = same(at(value, path), wanted)
    except PatchError:
        found = or_missing and wanted is None and null_at(value, path)
        if not found:
            raise TestFailedError(f"there is no {path}") from None
    if not found:
        raise TestFailedError(f"{path} has another value")


def null_at(value: Any, path: str) -> bool:
    """Return whether the value at a JSON pointer is null, or only its last key is missing.

    So Velero compares with null (evanphx/json-patch v5, the operation `test`): what holds the key must be there.
    """
    try:
        holder = at(value, path.rpartition("/")[0])
        if path and isinstance(holder, dict):
            return holder.get(steps(path)[-1]) is None
        return at(value, path) is None
    except PatchError:
        return False


def steps(path: str) -> list[str]:
    """Return the tokens of a JSON pointer (RFC 6901).

    Raises:
        PatchError: it is not a JSON pointer.
    """
    if path and not path.startswith("/"):
        raise PatchError(f"{path!r} is not a JSON pointer: it must begin with /")
    if _ESCAPE.search(path):
        raise PatchError(f"{path!r} is not a JSON pointer: write ~ as ~0 and / within a name as ~1")
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]


def at(value: Any, path: str) -> Any:
    """Return the value at a JSON pointer.

    Raises:
        PatchError: there is no such value.
    """
    for step in steps(path):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list):
            value = value[_index(step, len(value) - 1, path)]
        else:
            raise PatchError(f"there is no {path}")
    return value


def _index(step: str, most: int, path: str) -> int:
    plain = step.isascii() and step.isdecimal() and len(step) <= _DIGITS and (step == "0" or step[0] != "0")
    if not plain or int(step) > most:
        raise PatchError(f"there is no {path}")
    return int(step)


def _changed(value: Any, way: list[str], new: Any, *, replace: bool, path: str) -> Any:
    """Return a value with `new` set at a path (MISSING removes it); `replace`: the path must exist."""
    if not way:
        if new is MISSING:
            raise PatchError("the whole object cannot be removed")
        return new
    step, rest = way[0], way[1:]
    if isinstance(value, dict):
        return _in_map(value, step, rest, new, replace=replace, path=path)
    if isinstance(value, list):
        return _in_list(value, step, rest, new, replace=replace, path=path)
    raise PatchError(f"there is no {path}")


def _in_map(value: dict[str, Any], step: str, rest: list[str], new: Any, *, replace: bool, path: str) -> Any:
    if step not in value and (rest or replace):
        raise PatchError(f"there is no {path}")
    if not rest and new is MISSING:
        return {key: kept for key, kept in value.items() if key != step}
    return {**value, step: _changed(value[step], rest, new, replace=replace, path=path) if rest else new}


def _in_list(value: list[Any], step: str, rest: list[str], new: Any, *, replace: bool, path: str) -> Any:
    inserts = not rest and not replace
    if inserts and step == "-":
        return [*value, new]
    index = _index(step, len(value) if inserts else len(value) - 1, path)
    if inserts:
        return [*value[:index], new, *value[index:]]
    if not rest:
        put = [] if new is MISSING else [new]
    else:
        put = [_changed(value[index], rest, new, replace=replace, path=path)]
    return [*value[:index], *put, *value[index + 1 :]]


def same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal, type included: in Python, True equals 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def merge_patch(value: Any, patch: Any) -> Any:
    """Return a value merged with a patch: null removes, maps are merged, anything else replaces the old value."""
    if not isinstance(patch, dict):
        return deepcopy(patch)
    merged = dict(value) if isinstance(value, dict) else {}
    for key, new in patch.items():
        if new is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), new)
    return merged


def differences(before: Any, after: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """Return JSON pointer, old and new value (MISSING if there is none) of the smallest parts that differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        pairs = [
            (key, before.get(key, MISSING), after.get(key, MISSING)) for key in sorted(before.keys() | after.keys())
        ]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = [(str(index), a, b) for index, (a, b) in enumerate(zip(before, after, strict=True))]
    else:
        return [] if before is not MISSING and after is not MISSING and same(before, after) else [(path, before, after)]
    escaped = ((key.replace("~", "~0").replace("/", "~1"), a, b) for key, a, b in pairs)
    return [each for key, a, b in escaped for each in differences(a, b, f"{path}/{key}")]
