"""Compare two objects field by field: each difference is a path, the old value and the new one.

Types count (`1` is not `true`, an empty map is not a missing one), and so does the order of a list, as for the API
server. The values of a Secret (confidential.py) are compared and never shown: only their length is.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.confidential import is_secret, may_show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object


class Missing(Enum):
    """The value of a field that one of the two objects does not have."""

    MISSING = "nothing"

    def __repr__(self) -> str:
        """Return `MISSING`, as tests write it."""
        return self.name

    def __str__(self) -> str:
        """Return `nothing`, for output."""
        return self.value


MISSING = Missing.MISSING

PLAIN = re.compile(r"[A-Za-z_][\w-]*")
"""Keys that a path shows unquoted; all others are quoted in brackets."""

_STEP = re.compile(r'\[("(?:[^"\\]|\\.)*")\]|\[(\d+)\]|([^.\[\]]+)')

SHOWN = 60
"""Characters of a value that a line shows."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A value that is compared and never shown: `repr` and `str` give its length only."""

    value: Any = field(repr=False)

    def __str__(self) -> str:
        """Return the length of the value."""
        size = len(self.value) if isinstance(self.value, str) else len(json.dumps(self.value))
        return f"({size} characters, not shown)"

    __repr__ = __str__


@dataclass(frozen=True, slots=True)
class Difference:
    """One field in which two objects differ."""

    path: str
    """Its path: `spec.template.spec.containers[0].image`, `metadata.labels["app.kubernetes.io/name"]`."""
    old: Any
    """The value before: MISSING if there is none, Masked in a Secret."""
    new: Any
    """The value after, likewise."""

    def __str__(self) -> str:
        """Return one line: `spec.replicas: 1 → 2`; long values are truncated."""
        return f"{self.path}: {_shown(self.old)} → {_shown(self.new)}"


def differences(before: Object, after: Object) -> list[Difference]:
    """Return all fields in which two objects differ, in the order of `before`.

    A map of strings (labels, annotations, data) that one side lacks is reported entry by entry, so that each entry can
    be explained separately. Any other value that one side lacks is one difference.
    """
    found = _compare("", before, after)
    return [_masked(each) for each in found] if is_secret(before) or is_secret(after) else list(found)


def steps_of(path: str) -> list[str]:
    """Return the path of a Difference as the tokens of a JSON pointer: `data["a.b"]` → `data`, `a.b`."""
    steps = []
    for quoted, index, plain in _STEP.findall(path):
        steps.append(json.loads(quoted) if quoted else index or plain)
    return steps


def revealed(value: Any) -> Any:
    """Return the value, also a masked one; for rules that compare, never for output."""
    return value.value if isinstance(value, Masked) else value


def _compare(path: str, old: Any, new: Any) -> Iterator[Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _compare_maps(path, old, new)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _compare_lists(path, old, new)
    elif path and new is MISSING and _is_text_map(old):
        yield from _compare_maps(path, old, {})
    elif path and old is MISSING and _is_text_map(new):
        yield from _compare_maps(path, {}, new)
    elif type(old) is not type(new) or old != new:
        yield Difference(path, old, new)


def _compare_maps(path: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Difference]:
    for key in old | new:
        yield from _compare(_below(path, key), old.get(key, MISSING), new.get(key, MISSING))


def _compare_lists(path: str, old: list[Any], new: list[Any]) -> Iterator[Difference]:
    for index in range(max(len(old), len(new))):
        here = f"{path}[{index}]"
        if index >= min(len(old), len(new)):
            yield Difference(here, *(side[index] if index < len(side) else MISSING for side in (old, new)))
        else:
            yield from _compare(here, old[index], new[index])


def _is_text_map(value: Any) -> bool:
    """Return whether `value` is a non-empty map of strings; an empty map counts as a value."""
    return isinstance(value, dict) and bool(value) and all(isinstance(each, str) for each in value.values())


def _below(path: str, key: str) -> str:
    if not PLAIN.fullmatch(key):
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key


def _masked(each: Difference) -> Difference:
    if may_show(steps_of(each.path)):
        return each
    old, new = (value if value is MISSING else Masked(value) for value in (each.old, each.new))
    return Difference(each.path, old, new)


def _shown(value: Any) -> str:
    if isinstance(value, Masked | Missing):
        return str(value)
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"
