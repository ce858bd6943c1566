"""Change, remove or read parts of a JSON value by path, copying only the maps and lists on the way to a change.

The input is never modified, and unchanged parts are shared with it, so the cost of an edit depends on what it touches
and not on the size of the object. A path that does not exist, or that leads to a value of another type, changes
nothing: an archive from elsewhere must not crash a rule. An existing empty map or list is never removed (`emptyDir: {}`
and `podSelector: {}` have a meaning). This module knows nothing of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, Final

Object = dict[str, Any]
"""A Kubernetes object as its JSON: apiVersion, kind, metadata and the rest."""


class Every(Enum):
    """The step of a path that means every item of a list."""

    ITEM = "[]"


class Gone(Enum):
    """What an edit returns to remove a value."""

    GONE = "gone"


EACH: Final = Every.ITEM
GONE: Final = Gone.GONE

Path = tuple[str | Every, ...]
"""The path to a part of a JSON value: keys of maps, and EACH for all items of a list."""

Edit = Callable[[Any], Any]
"""Takes a value and returns the same one (no change), a replacement, or GONE."""


def change(obj: Object, path: Path, edit: Edit) -> Object:
    """Return `obj` with `edit` applied to every part at `path`, or `obj` itself if nothing changes."""
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
    """Return an edit that removes `keys` from a map, and the map itself if that empties it."""

    def edit(value: Any) -> Any:
        if not isinstance(value, dict) or not any(key in value for key in keys):
            return value
        return {key: kept for key, kept in value.items() if key not in keys} or GONE

    return edit


def only(keep: Callable[[Any], bool]) -> Edit:
    """Return an edit that removes the items of a list that `keep` rejects, and the list itself if that empties it."""

    def edit(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        kept = [item for item in value if keep(item)]
        return value if len(kept) == len(value) else kept or GONE

    return edit


def get(value: Any, *keys: str) -> Any:
    """Return the part of `value` under `keys`, or None if a map or a key on the way is missing."""
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
    """Return the API group of an apiVersion: "apps" for "apps/v1", "" for "v1"."""
    group, slash, _ = api_version.partition("/")
    return group if slash else ""


def parse_path(text: str) -> Path:
    """Return a text such as `spec.rules[].name` as a path."""
    steps: list[str] = text.replace("[]", ".[]").split(".")
    return tuple(EACH if step == "[]" else step for step in steps)


def parse_paths(*texts: str) -> tuple[Path, ...]:
    """Return texts as paths."""
    return tuple(map(parse_path, texts))


def values(obj: Any, path: str) -> Iterator[Any]:
    """Yield the values at a path such as `spec.volumes[].secret.secretName`; a missing part yields nothing."""
    head, _, rest = path.partition(".")
    each = head.endswith("[]")
    found = obj.get(head.removesuffix("[]")) if isinstance(obj, dict) else None
    for value in (found if isinstance(found, list) else ()) if each else (() if found is None else (found,)):
        if rest:
            yield from values(value, rest)
        else:
            yield value


Place = tuple[str | int, ...]
"""The path to one part of an object: keys of maps and indexes of lists."""
