"""Parse JSON that anybody may have written: what two readers could understand differently is refused, not guessed.

Refused are a key that comes twice, an integer of more than 64 bits (it would come out rounded), nesting too deep to
walk through, and what the standard does not have (NaN, half a surrogate pair). No value is ever quoted in an error.

JSON as Kubernetes' own controllers write it, byte for byte, where they compare bytes.

A StatefulSet and a DaemonSet know a former revision by the bytes of its `data` (pkg/controller/history EqualRevision):
written in another way, the same content would be another revision. Go sorts the keys of a map, and escapes what HTML
or JavaScript would mean something by (encoding/json, HTMLEscape).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.core.jsondoc.limits import MAX_DEPTH

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object


_INTEGERS = range(-(2**63), 2**64)


def parse(data: bytes) -> Any:
    """Return the value that `data` holds.

    Raises:
        DamagedError: it is not JSON, or ambiguous; tells the cause only ("has a key twice in one map"), not where.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise DamagedError(f"is not JSON (line {error.lineno}, column {error.colno})") from error
    check_depth(data, value)
    # What reads back as the same bytes says nothing twice. So it is with all that Kubeferry wrote; orjson is much
    # faster than the other parser.
    if orjson.dumps(value) != data.removesuffix(b"\n"):
        json.loads(data, object_pairs_hook=_once, parse_int=_integer)
    return value


def check_depth(data: bytes, value: Any) -> None:
    """Return unless `value`, which `data` holds, is nested deeper than rules walk.

    Raises:
        DamagedError: it is.
    """
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and is_deep(value):
        raise DamagedError(f"is nested deeper than {MAX_DEPTH} levels")


def is_deep(value: Any) -> bool:
    """Tell whether maps and lists stand deeper in each other than rules walk; without recursion, which has a limit."""
    level = [value]
    for _ in range(MAX_DEPTH):
        if not level:
            return False
        below = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list))
        level = [item for some in below for item in some]
    return any(isinstance(each, dict | list) for each in level)


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        raise DamagedError("has a key twice in one map")


def _integer(text: str) -> None:
    if int(text) not in _INTEGERS:
        raise DamagedError("has an integer of more than 64 bits")


COMPARED = frozenset({("apps", "ControllerRevision")})
"""(group, kind) of objects that hold such bytes."""

ESCAPES = {char.encode(): f"\\u{ord(char):04x}".encode() for char in "<>&\u2028\u2029"}
"""What stands in no JSON but inside of strings → how Go writes it."""


def encoded(obj: Object) -> bytes:
    """Return an object as it is sent to an API server."""
    if (group_of(obj["apiVersion"]), obj["kind"]) not in COMPARED:
        return orjson.dumps(obj)
    text = orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)
    for char, escape in ESCAPES.items():
        text = text.replace(char, escape)
    return text
