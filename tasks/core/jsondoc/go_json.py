"""JSON as Kubernetes' own controllers write it, byte for byte, where they compare bytes.

A StatefulSet and a DaemonSet know a former revision by the bytes of its `data` (pkg/controller/history EqualRevision):
written in another way, the same content would be another revision. Go sorts the keys of a map, and escapes what HTML
or JavaScript would mean something by (encoding/json, HTMLEscape).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from kubeferry.tasks.core.jsondoc.edit import group_of

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object

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
