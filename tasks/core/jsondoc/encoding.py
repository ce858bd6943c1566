"""Decode untrusted JSON strictly, and encode objects as the API server compares them.

Two readers must not understand the same JSON differently. Refused are a duplicate key, an integer of more than 64 bits
(it would be rounded), nesting deeper than rules walk, and what the standard does not allow (NaN, half a surrogate
pair). No value is quoted in an error.

StatefulSet and DaemonSet controllers recognize an earlier ControllerRevision by the bytes of its `data`
(pkg/controller/history, EqualRevision): the same content in other bytes would be another revision. So these are written
as Go does: the keys of a map sorted, the characters special to HTML or JavaScript escaped (encoding/json, HTMLEscape).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import orjson

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.core.jsondoc.limits import MAX_DEPTH

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object


_INTEGERS = range(-(2**63), 2**64)


def parse(data: bytes) -> Any:
    """Return the value of a JSON document.

    Raises:
        DamagedError: it is not JSON, or ambiguous; the message is the cause alone ("has a duplicate key in a map").
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise DamagedError(f"is not JSON (line {error.lineno}, column {error.colno})") from error
    check_depth(data, value)
    # What encodes to the same bytes has no duplicate keys. That is true of everything that Kubeferry wrote, and orjson
    # is much faster than the other parser.
    if orjson.dumps(value) != data.removesuffix(b"\n"):
        json.loads(data, object_pairs_hook=_once, parse_int=_integer)
    return value


def check_depth(data: bytes, value: Any) -> None:
    """Check that `value`, decoded from `data`, is not nested deeper than rules walk.

    Raises:
        DamagedError: it is nested too deeply.
    """
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and is_deep(value):
        raise DamagedError(f"is nested deeper than {MAX_DEPTH} levels")


def is_deep(value: Any) -> bool:
    """Return whether maps and lists are nested deeper than rules walk; without recursion, which has a limit."""
    level = [value]
    for _ in range(MAX_DEPTH):
        if not level:
            return False
        below = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list))
        level = [item for some in below for item in some]
    return any(isinstance(each, dict | list) for each in level)


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        raise DamagedError("has a duplicate key in a map")


def _integer(text: str) -> None:
    if int(text) not in _INTEGERS:
        raise DamagedError("has an integer of more than 64 bits")


COMPARED = frozenset({("apps", "ControllerRevision")})
"""(group, kind) of objects that controllers compare by their bytes."""

ESCAPES = {char.encode(): f"\\u{ord(char):04x}".encode() for char in "<>&\u2028\u2029"}
"""Characters that JSON has only inside strings → how Go writes them."""


_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""Characters of JSON that go-yaml (readerc.go) refuses where they are not escaped, or reads as a line break."""


def encoded_for_yaml(obj: Object) -> bytes:
    """Return an object as JSON that a YAML reader takes for the same value.

    The API server reads an apply patch as YAML: U+0085 in it would become a blank, and U+007F be an error.
    """
    return _NOT_IN_YAML.sub(lambda char: f"\\u{ord(char[0]):04x}", orjson.dumps(obj).decode()).encode()


def encoded(obj: Object) -> bytes:
    """Return an object as JSON for the API server."""
    if (group_of(obj["apiVersion"]), obj["kind"]) not in COMPARED:
        return orjson.dumps(obj)
    text = orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)
    for char, escape in ESCAPES.items():
        text = text.replace(char, escape)
    return text
