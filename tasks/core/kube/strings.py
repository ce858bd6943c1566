"""Walk over every string of an object, decoding base64 where the API defines it, and put changed strings back.

The walk yields readable text: Secret `data` and ConfigMap `binaryData` are decoded if they hold UTF-8. Keys of maps are
not among the strings: they name files, labels and fields. No other encoding is decoded, and bytes that are not text
stay exactly as they are.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.kube.objects import type_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object, Place


ENCODED: Mapping[tuple[str, str], str] = {("", "Secret"): "data", ("", "ConfigMap"): "binaryData"}
"""(group, kind) → the field whose values are base64 (API reference v1.36)."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One string of an object: its place, its text, and whether it is stored as base64 of that text."""

    at: Place
    text: str
    encoded: bool = False

    def written(self, text: str) -> str:
        """Return `text` as it is stored at this place."""
        return base64.b64encode(text.encode()).decode() if self.encoded else text


def leaves(obj: Object) -> Iterator[Leaf]:
    """Yield every string of `obj` in document order; base64 that is not UTF-8 text yields nothing."""
    hidden = ENCODED.get(type_of(obj))
    for key, value in obj.items():
        if key == hidden and isinstance(value, dict):
            yield from _decoded(key, value)
        else:
            yield from walk(value, (key,))


def walk(value: Any, at: Place = ()) -> Iterator[Leaf]:
    """Yield every string in `value`, whose place is `at`."""
    if isinstance(value, str):
        yield Leaf(at, value)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from walk(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from walk(item, (*at, index))


def _decoded(field: str, data: dict[str, Any]) -> Iterator[Leaf]:
    for key, value in data.items():
        text = decoded(value)
        if text is not None:
            yield Leaf((field, key), text, encoded=True)


def decoded(value: Any) -> str | None:
    """Return the text that `value` encodes as base64, or None if it is not text, or not canonical base64."""
    if not isinstance(value, str):
        return None
    try:
        data = base64.b64decode(value, validate=True)
        text = data.decode()
    except (binascii.Error, ValueError):
        return None
    return text if base64.b64encode(data).decode() == value else None


def put(obj: Object, new: Mapping[Place, Any]) -> Object:
    """Return `obj` with the part at each place replaced; only the maps and lists on the way are copied."""
    for place, value in new.items():
        obj = _put(obj, place, value)
    return obj


def _put(value: Any, place: Place, new: Any) -> Any:
    if not place:
        return new
    step, rest = place[0], place[1:]
    if isinstance(step, int):
        return [*value[:step], _put(value[step], rest, new), *value[step + 1 :]]
    return {**value, step: _put(value[step], rest, new)}


def pointer(place: Place) -> str:
    """Return `place` as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in place)
