"""Strategic merge patch for built-in kinds, as API servers apply it: lists are merged by the key of their items.

Source: apimachinery/pkg/util/strategicpatch (v0.36) and its document "Strategic Merge Patch" with the directives
`$patch`, `$retainKeys`, `$setElementOrder/LIST` and `$deleteFromPrimitiveList/LIST`. Which list has which key is in
`schemas/patch_tags.py`, as the API types are tagged. An API server refuses such a patch for custom resources, and
so do the callers of this.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.patch import PatchError, same
from kubeferry.tasks.core.kube.schemas.patch_tags import FIELDS, OBJECT_META, PACKAGES, Field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object

Fields = dict[str, Field]

DIRECTIVE = "$patch"
RETAIN = "$retainKeys"
ORDER = "$setElementOrder/"
DELETE = "$deleteFromPrimitiveList/"
PLAIN = Field()


def strategic_merge(obj: Object, patch: Mapping[str, Any]) -> Any:
    """Return an object of a built-in kind, merged with a patch; both stay as they are.

    In an item that the patch adds, directives have nothing to act on and are left out. (An API server takes `$patch`
    in a list of such an item for one more item.) An unknown directive, which it drops, is refused.

    Raises:
        PatchError: a directive is unknown or does not fit, or an item of a merged list has no merge key.
    """
    return _map(obj, dict(patch), _fields_of(obj))


def _fields_of(obj: Object) -> Fields:
    """Return the fields of a kind; those of another version of it if this one is not in the table."""
    kind = str(obj.get("kind"))
    name = f"{PACKAGES.get(str(obj.get('apiVersion')))}.{kind}"
    near = (fields for each, fields in FIELDS.items() if each.endswith(f".{kind}") and "metadata" in fields)
    return FIELDS.get(name) or next(near, {"metadata": Field(OBJECT_META)})


def _map(value: Mapping[str, Any], patch: dict[str, Any], fields: Fields) -> dict[str, Any]:
    directive = patch.get(DIRECTIVE)
    if directive == "replace":
        return {key: _new(each) for key, each in patch.items() if not key.startswith("$")}
    if directive == "delete":
        return {}
    if directive is not None:
        raise PatchError(f"the directive {DIRECTIVE}: {directive} is not one of a map: delete or replace")
    merged = _retained(value, patch)
    orders = {key.removeprefix(ORDER): _listed(patch, key) for key in patch if key.startswith(ORDER)}
    for name, order in orders.items():
        _ordered(merged, patch, name, order, fields.get(name, PLAIN))
    for key, new in patch.items():
        if key.startswith(DELETE):
            _removed(merged, key.removeprefix(DELETE), _listed(patch, key))
        elif not key.startswith("$") and key not in orders:
            _field(merged, key, new, fields.get(key, PLAIN))
        elif key.startswith("$") and key != RETAIN and not key.startswith(ORDER):
            raise PatchError(f"the directive {key} is not known")
    return merged


def _listed(patch: Mapping[str, Any], directive: str) -> list[Any]:
    if not isinstance(patch[directive], list):
        raise PatchError(f"the directive {directive} must be a list")
    found: list[Any] = patch[directive]
    return found


def _retained(value: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return a map with only the keys of `$retainKeys`, if the patch has it."""
    if RETAIN not in patch:
        return dict(value)
    kept = _listed(patch, RETAIN)
    foreign = [key for key, new in patch.items() if new is not None and not key.startswith("$") and key not in kept]
    if foreign:
        raise PatchError(f"{RETAIN} lacks {foreign[0]}, which the patch sets")
    return {key: old for key, old in value.items() if key in kept}


def _field(merged: dict[str, Any], key: str, new: Any, field: Field) -> None:
    old = merged.get(key)
    if new is None:
        merged.pop(key, None)
    elif isinstance(new, dict) and isinstance(old, dict) and field.strategy != "replace":
        merged[key] = _map(old, new, FIELDS.get(field.type, {}))
    elif isinstance(new, list) and isinstance(old, list) and field.strategy == "merge":
        merged[key] = _list(old, new, key, field)
    elif isinstance(new, list) and isinstance(old, list) and any(DIRECTIVE in each for each in _maps(new)):
        raise PatchError(f"{key} is replaced as a whole: its items take no directive {DIRECTIVE}")
    elif isinstance(new, dict) and DIRECTIVE in new:
        merged.pop(key, None)
    else:
        merged[key] = _new(new)


def _new(value: Any) -> Any:
    """Return what a patch adds: without directives, and null is nothing."""
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if each is not None and not key.startswith("$")}
        return {key: _new(each) for key, each in kept.items() if not (isinstance(each, dict) and DIRECTIVE in each)}
    if isinstance(value, list):
        return [_new(each) for each in value if not (isinstance(each, dict) and DIRECTIVE in each)]
    return deepcopy(value)


# --- lists


def _list(old: list[Any], patch: list[Any], name: str, field: Field) -> list[Any]:
    """Return a merged list: what is in the patch in its order, the rest where it was."""
    if _is_plain(old, patch, name, field):
        merged: list[Any] = []
        for each in (*old, *patch):
            if not any(same(each, other) for other in merged):
                merged.append(each)
        return _in_order(merged, patch, old, "")
    deleted = [_key(each, name, field) for each in patch if each.get(DIRECTIVE) == "delete"]
    new = [each for each in patch if DIRECTIVE not in each]
    for each in patch:
        if each.get(DIRECTIVE) not in (None, "delete", "replace"):
            raise PatchError(f"the directive {DIRECTIVE}: {each[DIRECTIVE]} is not one of an item: delete or replace")
    if any(each.get(DIRECTIVE) == "replace" for each in patch):
        return [_new(each) for each in new]
    kept = [each for each in old if not any(same(_key(each, name, field), gone) for gone in deleted)]
    return _in_order(_merged_items(kept, new, name, field), new, kept, field.key)


def _merged_items(kept: list[Any], new: list[Any], name: str, field: Field) -> list[Any]:
    merged = list(kept)
    for each in new:
        key = _key(each, name, field)
        at = next((n for n, other in enumerate(merged) if same(_key(other, name, field), key)), None)
        if at is None:
            merged.append(_new(each))
        else:
            merged[at] = _map(merged[at], each, FIELDS.get(field.type, {}))
    return merged


def _maps(items: list[Any]) -> list[dict[str, Any]]:
    return [each for each in items if isinstance(each, dict)]


def _is_plain(old: list[Any], patch: list[Any], name: str, field: Field) -> bool:
    """Return whether a list holds plain values.

    Raises:
        PatchError: it also holds maps or lists, or has no merge key for its maps.
    """
    items = [*old, *patch]
    maps = len(_maps(items))
    if any(isinstance(each, list) for each in items) or maps not in (0, len(items)) or (maps and not field.key):
        raise PatchError(f"the items of {name} cannot be merged: they must all be {'maps' if field.key else 'texts'}")
    return not maps


def _key(item: Mapping[str, Any], name: str, field: Field) -> Any:
    if field.key not in item:
        raise PatchError(f"an item of {name} has no {field.key}, its merge key")
    return item[field.key]


def _removed(merged: dict[str, Any], name: str, gone: list[Any]) -> None:
    old = merged.get(name)
    if isinstance(old, list):
        if _maps([*old, *gone]):
            raise PatchError(f"{DELETE}{name}: it is no list of plain values")
        merged[name] = [each for each in old if not any(same(each, other) for other in gone)]


def _ordered(merged: dict[str, Any], patch: Mapping[str, Any], name: str, order: list[Any], field: Field) -> None:
    """Merge a list whose order the patch gives by `$setElementOrder`."""
    old, new = merged.get(name, []), patch.get(name, [])
    if field.strategy != "merge" or not isinstance(old, list) or not isinstance(new, list):
        raise PatchError(f"{ORDER}{name}: it is no list that is merged")
    if not _is_plain(old, [*new, *order], name, field):
        _check_order([each for each in new if DIRECTIVE not in each], order, name, field)
    elif new:
        _check_order(new, order, name, field)
    if old or new:
        found = _list(old, new, name, field) if name in merged and name in patch else _new([*old, *new])
        merged[name] = _in_order(found, order, old, field.key)


def _check_order(new: list[Any], order: list[Any], name: str, field: Field) -> None:
    """Refuse a patch whose items are in another order than its directive says; one of both may be empty."""
    rest = iter(order)
    if order and not all(any(_position([each], other, field.key) == 0 for other in rest) for each in new):
        raise PatchError(f"{name} is in another order than its {ORDER}{name}")


def _position(order: list[Any], item: Any, key: str) -> int | None:
    """Return where an item is in a list, by its key if there is one."""
    wanted = item.get(key) if key else item
    return next((n for n, each in enumerate(order) if same(each.get(key) if key else each, wanted)), None)


def _in_order(items: list[Any], order: list[Any], before: list[Any], key: str) -> list[Any]:
    """Return items sorted: those of `order` in its order; the others as before, each ahead of what it was ahead of."""
    last = len(before)
    at = [(each, _position(order, each, key), _position(before, each, key)) for each in items]
    asked = sorted((each for each in at if each[1] is not None), key=lambda each: each[1] or 0)
    others = sorted((each for each in at if each[1] is None), key=lambda each: last if each[2] is None else each[2])
    found = []
    while asked and others:
        (_, _, mine), (_, _, its) = asked[0], others[0]
        first = others if mine is not None and its is not None and its < mine else asked
        found.append(first.pop(0))
    return [each for each, _, _ in (*found, *others, *asked)]
