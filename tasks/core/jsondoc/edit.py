"""Change, remove or read parts of a JSON value by path, copying only the maps and lists on the way to what changes.

The input survives, and what did not change is shared with it, so that an edit costs what it touches and not what the
object weighs. A path that the value does not have, or that meets another type than it expects, changes nothing: an
archive that others wrote must not be able to crash a rule. It never removes an empty map or list that was there before
(`emptyDir: {}` and `podSelector: {}` mean something); it refuses to know anything of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, Final

Object = dict[str, Any]
"""A Kubernetes object as its JSON: apiVersion, kind, metadata and the rest."""


class Every(Enum):
    """A step of a path that means every item of a list."""

    ITEM = "[]"


class Gone(Enum):
    """What an edit returns instead of a value that has to go."""

    GONE = "gone"


EACH: Final = Every.ITEM
GONE: Final = Gone.GONE

Path = tuple[str | Every, ...]
"""The way to a part of a JSON value: keys of maps, and EACH for all items of a list."""

Edit = Callable[[Any], Any]
"""Takes a value, returns it (the same one: nothing changed), another one in its place, or GONE."""


def change(obj: Object, path: Path, edit: Edit) -> Object:
    """Return `obj` with every part at `path` replaced by what `edit` makes of it, or `obj` itself if all stay."""
    changed: Object = _change(obj, path, edit)
    return changed


def _change(value: Any, path: Path, edit: Edit) -> Any:
    if not path:
        return edit(value)
    step, rest = path[0], path[1:]
    if isinstance(step, Every):
        return _change_items(value, rest, edit) if isinstance(value, list) else value
    if not isinstance(value, dict) or step not in value:
        return value
    old = value[step]
    new = _change(old, rest, edit)
    if new is old:
        return value
    if new is GONE:
        return {key: kept for key, kept in value.items() if key != step}
    return {**value, step: new}


def _change_items(items: list[Any], path: Path, edit: Edit) -> list[Any]:
    changed = [_change(item, path, edit) for item in items]
    if all(new is old for new, old in zip(changed, items, strict=True)):
        return items
    return [new for new in changed if new is not GONE]


def remove(obj: Object, *paths: Path) -> Object:
    """Return `obj` without the parts at `paths`; the maps and lists that held them stay, even empty."""
    for path in paths:
        obj = change(obj, path, lambda _: GONE)
    return obj


def without(*keys: str) -> Edit:
    """Return an edit that drops `keys` from a map, and the map too if that emptied it."""

    def edit(value: Any) -> Any:
        if not isinstance(value, dict) or not any(key in value for key in keys):
            return value
        return {key: kept for key, kept in value.items() if key not in keys} or GONE

    return edit


def only(keep: Callable[[Any], bool]) -> Edit:
    """Return an edit that drops the items of a list that `keep` refuses, and the list too if that emptied it."""

    def edit(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        kept = [item for item in value if keep(item)]
        return value if len(kept) == len(value) else kept or GONE

    return edit


def get(value: Any, *keys: str) -> Any:
    """Return the part of `value` under `keys`, or None where a map or a key on the way is missing."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def found(value: Any, path: Path, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the JSON pointer (RFC 6901) and the value of every part of `value` at `path`."""
    if not path:
        yield pointer, value
        return
    step, rest = path[0], path[1:]
    if isinstance(step, Every):
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from found(item, rest, f"{pointer}/{index}")
    elif isinstance(value, dict) and step in value:
        escaped = step.replace("~", "~0").replace("/", "~1")
        yield from found(value[step], rest, f"{pointer}/{escaped}")


def group_of(api_version: str) -> str:
    """Return the group of an apiVersion: "apps" of "apps/v1", "" of "v1"."""
    group, slash, _ = api_version.partition("/")
    return group if slash else ""


def values(obj: Any, path: str) -> Iterator[Any]:
    """Yield what stands at a path such as `spec.volumes[].secret.secretName`; what is absent yields nothing."""
    head, _, rest = path.partition(".")
    each = head.endswith("[]")
    found = obj.get(head.removesuffix("[]")) if isinstance(obj, dict) else None
    for value in (found if isinstance(found, list) else ()) if each else (() if found is None else (found,)):
        if rest:
            yield from values(value, rest)
        else:
            yield value


Place = tuple[str | int, ...]
"""The way to one part of an object: keys of maps and indexes of lists."""
