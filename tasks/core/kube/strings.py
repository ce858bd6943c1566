"""Walk over every string of an object, decoded where the API says base64, and put changed ones back in one pass.

The walk yields text that a person would read: Secret `data` and ConfigMap `binaryData` are decoded where they hold
UTF-8. Keys of maps are not strings of an object: they name files, labels and fields. It refuses to look into other
encodings, and it never touches bytes that are not text: those come back exactly as they were.
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
"""The field of each kind whose values are base64 (API reference v1.36)."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One string of an object: where it stands, its text, and whether it is kept there as base64 of that text."""

    at: Place
    text: str
    encoded: bool = False

    def written(self, text: str) -> str:
        """Return `text` as it has to stand in this leaf's place."""
        return base64.b64encode(text.encode()).decode() if self.encoded else text


def leaves(obj: Object) -> Iterator[Leaf]:
    """Yield every string of `obj` in document order; base64 that holds no UTF-8 text yields nothing."""
    hidden = ENCODED.get(type_of(obj))
    for key, value in obj.items():
        if key == hidden and isinstance(value, dict):
            yield from _decoded(key, value)
        else:
            yield from walk(value, (key,))


def walk(value: Any, at: Place = ()) -> Iterator[Leaf]:
    """Yield every string below `value`, which stands at `at`."""
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
    """Return the text that `value` holds as base64, or None where it holds no text, or not in the canonical form."""
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
