"""Find where objects use the values that their cluster assigned (addresses, host names, uids).

Every string of an object is scanned, including base64 and the object in kubectl's annotation, except the object's own
name and what has a meaning in its cluster only. substitute.py replaces the values. Field names do not matter: a value
in a comment of a config file is a use.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import orjson

from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED, parsed
from kubeferry.tasks.core.kube.namespace_defaults import API_SERVER
from kubeferry.tasks.core.kube.objects import type_of
from kubeferry.tasks.core.kube.requests import asks, repeats
from kubeferry.tasks.core.kube.strings import ENCODED, Leaf, decoded, leaves, pointer
from kubeferry.tasks.core.lookup.index import CLUSTER, PREFERENCE, UID, Index, Source
from kubeferry.tasks.core.lookup.tokens import PLAIN, Hint, place_of, tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object, Place

__all__ = ["API_SERVER", "CLUSTER", "PREFERENCE", "UID", "Index", "Source", "Use", "scan"]

Form = Literal["token", "whole", "text"]
"""How a value is part of its string: by the token rule, the whole string, or any occurrence (a user's token)."""


@dataclass(frozen=True, slots=True)
class Use:
    """One value that one string of an object uses, however often.

    `pointer` (RFC 6901) is that of the string; `layers` are its encodings, outermost first: "base64", "json". `value`
    is as written there, `source` is where it comes from.
    """

    pointer: str
    layers: tuple[str, ...]
    value: str
    source: Source
    form: Form = "token"


@dataclass(frozen=True, slots=True)
class Piece:
    """A text to scan: a whole string, or what is encoded inside one."""

    layers: tuple[str, ...]
    text: str


_TYPE = frozenset({"apiVersion", "kind", "status", "metadata"})
_OWN = frozenset({"name", "namespace", "generateName"})
_CLUSTERS = frozenset({"uid", "ownerReferences", "managedFields", "resourceVersion", "selfLink"})


def scanned(obj: Object) -> Iterator[Leaf]:
    """Yield the strings of `obj` that may use a value; not its type, name and status.

    Each map or list level by level, without recursion: an archive decides how deep an object is.
    """
    hidden = ENCODED.get(type_of(obj))
    for key, value in (obj.get(hidden) or {}).items() if hidden else ():
        text = decoded(value)
        if text is not None:
            yield Leaf((hidden or "", key), text, encoded=True)
    meta = {key: value for key, value in obj["metadata"].items() if key not in _OWN and key not in _CLUSTERS}
    yield from _strings(("metadata",), meta)
    yield from _strings((), {key: value for key, value in obj.items() if key not in _TYPE and key != hidden})


def _strings(at: Place, root: dict[str, Any]) -> Iterator[Leaf]:
    stack: list[tuple[Place, Any]] = [(at, root)]
    while stack:
        at, value = stack.pop()
        below: list[tuple[Place, Any]] = []
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(item, str):
                if "." in item or ":" in item or "-" in item:
                    yield Leaf((*at, key), item)
            elif isinstance(item, (dict, list)):
                below.append(((*at, key), item))
        stack += reversed(below)


def leaf_at(obj: Object, at: str) -> Leaf | None:
    """Return the string of `obj` at a JSON pointer; None if there is none, or if nothing may replace it."""
    value: Any = obj
    place: list[str | int] = []
    for step in at.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            place.append(int(key))
        elif isinstance(value, dict) and key in value:
            place.append(key)
        else:
            return None
        value = value[place[-1]]
    if not place or (place[0] in _TYPE and (len(place) == 1 or place[1] in _OWN | _CLUSTERS)):
        return None
    if len(place) == 2 and place[0] == ENCODED.get(type_of(obj)):  # noqa: PLR2004 - the field and the key in it
        text = decoded(value)
        return Leaf(tuple(place), text, encoded=True) if text is not None else None
    return Leaf(tuple(place), value) if isinstance(value, str) else None


def applied(leaf: Leaf) -> list[Leaf]:
    """Return the base64 leaves of the object in kubectl's annotation, empty for any other string."""
    if leaf.at != ("metadata", "annotations", LAST_APPLIED):
        return []
    obj = parsed(leaf.text)
    return [inner for inner in leaves(obj) if inner.encoded] if obj else []


def scan(obj: Object, index: Index) -> list[Use]:
    """Return every use of an indexed value in any string of `obj`, once for each string and spelling, in order.

    Field names do not matter, except that an image's tag, a version and an object's name are not addresses or uids
    (tokens.py), and that what an object's author asks for is no use of what the cluster gave (kube/requests.py).
    """
    if not _may_use(obj, index):
        return []
    kind = type_of(obj)
    found = [(leaf, use) for leaf in scanned(obj) if not asks(kind, leaf.at) for use in _uses(leaf, index)]
    return [use for leaf, use in found if not repeats(obj, leaf.at, use.value)]


SMALL = 65_536
"""Up to this many characters, a whole object is scanned at once before its strings are scanned one by one."""


def _may_use(obj: Object, index: Index) -> bool:
    """Return whether a small object's JSON uses a known value at all, which most do not: several times faster.

    No use is missed: quotes and escapes separate tokens as they do inside strings. If that does not hold (base64,
    control characters), or the text is long, the answer is True.
    """
    if type_of(obj) in ENCODED:
        return True
    try:
        text = orjson.dumps(obj).decode()
    except TypeError:  # numbers or characters that only Python's own JSON supports
        return True
    return len(text) > SMALL or "\\u00" in text or bool(tokens(text, index.known, hosts=index.hosts))


def _uses(leaf: Leaf, index: Index) -> list[Use]:
    last = leaf.at[-1]
    place = place_of(last) if isinstance(last, str) else PLAIN
    found = _in_piece(leaf, Piece(("base64",) if leaf.encoded else (), leaf.text), index, place)
    for inner in applied(leaf):
        found += _in_piece(leaf, Piece(("json", "base64"), inner.text), index, PLAIN)
    return found


def _in_piece(leaf: Leaf, piece: Piece, index: Index, place: Hint) -> list[Use]:
    found = tokens(piece.text, index.known, hosts=index.hosts, place=place)
    if not found:
        return []
    at, layers = pointer(leaf.at), _with_json(piece)
    written = {piece.text[each.start : each.end]: each.key for each in found}
    return [Use(at, layers, value, index.source(key)) for value, key in written.items()]


def _with_json(piece: Piece) -> tuple[str, ...]:
    """Return the layers of a piece, with "json" if it holds a JSON map or list."""
    if piece.text.lstrip()[:1] not in ("{", "["):
        return piece.layers
    try:
        json.loads(piece.text)
    except (ValueError, RecursionError):
        return piece.layers
    return (*piece.layers, "json")
