"""The difference between two versions of an object: added, removed, or changed fields; Secrets are masked.

Both sides are portable objects (transform/strip) with the same names, so that what has a meaning in one cluster only is
no difference. A value that the source cluster assigned has several readings, and is the same if any of them agrees. The
rest is compared by jsondoc/differences.py; no difference is hidden, because a user may have set what a cluster usually
allocates.

The values of a Secret are never shown, only their sizes and the word "changed": no hash, from which a value could be
guessed. Its annotations are hidden too, because any of them may be a copy of the data; the one that `kubectl apply`
writes stays readable, with the values inside it hidden. Objects of other kinds are never masked.
"""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from kubeferry.tasks.core.jsondoc.confidential import METADATA, is_secret, may_show
from kubeferry.tasks.core.jsondoc.differences import differences
from kubeferry.tasks.core.jsondoc.edit import Object, group_of
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED, parsed
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.strings import put
from kubeferry.tasks.core.lookup.uses import leaf_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kubeferry.tasks.core.formats.links import Owner
    from kubeferry.tasks.core.formats.records import Problem
    from kubeferry.tasks.core.jsondoc.differences import Difference


MISSING = object()


def masked(before: Object, after: Object) -> tuple[Object, Object]:
    """Return two versions of an object for people; {} is the version of a side without the object.

    What differs in the input differs in the result: in the second version, a hidden value that changed says so.
    """
    return _hidden(before, None), _hidden(after, before)


def _hidden(obj: Object, before: Object | None) -> Object:
    """Return `obj` with its values hidden; those that differ from `before` are marked."""
    if not is_secret(obj):
        return obj
    old = before or {}
    hidden = {
        field: value
        if field == METADATA or may_show([field])
        else _values(value, old.get(field, MISSING), encoded=field == "data")
        for field, value in obj.items()
    }
    annotations = _map(obj.get("metadata")).get("annotations")
    if annotations:
        others = _map(old.get("metadata")).get("annotations", MISSING)
        shown = _values(annotations, others, encoded=False)
        shown = _with_copy(shown, annotations, _map(others)) if isinstance(annotations, dict) else shown
        hidden["metadata"] = obj["metadata"] | {"annotations": shown}
    return hidden


def _with_copy(shown: Object, annotations: Object, others: Object) -> Object:
    """Return annotations with the copy of the object from `kubectl apply` readable, and its values hidden."""
    copy, before = parsed(annotations.get(LAST_APPLIED)), parsed(others.get(LAST_APPLIED))
    if copy is None or not is_secret(copy):
        return shown
    text = _written(_hidden(copy, before))
    only_spelling = (
        LAST_APPLIED in others
        and others[LAST_APPLIED] != annotations[LAST_APPLIED]
        and text == _written(_hidden(before or {}, None))
    )
    return shown if only_spelling else shown | {LAST_APPLIED: text}


def _written(obj: Object) -> str:
    return json.dumps(obj, sort_keys=True, indent=1, ensure_ascii=False)


def _values(value: Any, before: Any, *, encoded: bool) -> Any:
    if not isinstance(value, dict):
        return _mask(value, before, encoded=encoded)
    old = _map(before)
    return {key: _mask(each, old.get(key, MISSING), encoded=encoded) for key, each in value.items()}


def _mask(value: Any, before: Any, *, encoded: bool) -> str:
    changed = before is not MISSING and (type(before) is not type(value) or before != value)
    size = _size(value, encoded=encoded)
    return f"<secret, {size} byte{'' if size == 1 else 's'}{', changed' if changed else ''}>"


def _size(value: Any, *, encoded: bool) -> int:
    """Return the size of a value in bytes; a value of `data` is decoded if it is base64."""
    if encoded:
        with suppress(TypeError, ValueError):
            return len(base64.b64decode(value, validate=True))
    text = value if isinstance(value, str) else json.dumps(value)
    return len(text.encode(errors="replace"))


def _map(value: Any) -> Object:
    return value if isinstance(value, dict) else {}


OURS = "kubeferry.io"
"""API group of the objects that Kubeferry itself adds: an owner reference to its bundle is no difference."""

Reading = tuple[Any, Any]
"""One way to read a pair of values: before and after."""


@dataclass(frozen=True, slots=True)
class ObjectDifference:
    """One object that differs between both sides; the content of a Secret is masked everywhere."""

    ref: Ref
    """Its identity on the other side."""
    change: Literal["added", "removed", "changed"]
    before: Object | None
    """The backup's version, with the other side's names and values; None if there is none."""
    after: Object | None
    fields: tuple[Difference, ...] = ()
    why: str = ""
    """Additional remark."""


@dataclass
class Compared:
    """The result of comparing two sides."""

    differences: list[ObjectDifference]
    same: int = 0
    problems: list[Problem] = field(default_factory=list)
    """What could not be compared, and why."""


def added(obj: Object, why: str = "") -> ObjectDifference:
    """Return the difference of an object that only the other side has."""
    return ObjectDifference(Ref.of(obj), "added", None, masked({}, obj)[1], why=why)


def removed(obj: Object, why: str = "") -> ObjectDifference:
    """Return the difference of an object that only the backup has."""
    return ObjectDifference(Ref.of(obj), "removed", masked(obj, {})[0], None, why=why)


def changed(readings: Sequence[tuple[Object, Object]]) -> ObjectDifference | None:
    """Return the difference of an object that both sides have, None if it is the same.

    Each reading is the same two objects with other spellings of the values that a cluster assigns; the first one is
    shown.
    """
    before, after = reconciled(readings), readings[0][1]
    if not differences(before, after):
        return None
    old, new = masked(before, after)
    return ObjectDifference(Ref.of(after), "changed", old, new, tuple(differences(old, new)))


def reconciled(readings: Sequence[Reading]) -> Any:
    """Return the first reading's `before`, with `after` for each string that agrees in any reading.

    Readings differ in strings only. Where their structures differ (a field was added or removed) nothing agrees.
    """
    before, after = readings[0]
    if len(readings) == 1 or before == after:
        return before
    if all(isinstance(side, str) for reading in readings for side in reading):
        return after if any(old == new for old, new in readings) else before
    if all(isinstance(side, dict) for reading in readings for side in reading):
        return {key: _item(readings, key, lambda side, key: key in side) for key in before}
    if all(isinstance(side, list) for reading in readings for side in reading):
        return [_item(readings, index, lambda side, index: index < len(side)) for index in range(len(before))]
    return before


def _item(readings: Sequence[Reading], key: Any, has: Callable[[Any, Any], bool]) -> Any:
    inner = [(old[key], new[key]) for old, new in readings if has(old, key) and has(new, key)]
    return reconciled(inner) if len(inner) == len(readings) else readings[0][0][key]


def unknown(readings: Sequence[tuple[Object, Object]], pointers: Iterable[str]) -> list[tuple[Object, Object]]:
    """Return readings that agree in the strings at some JSON pointers, whose expected values are unknown."""
    places = list(pointers)
    return [(_taken_over(before, after, places), after) for before, after in readings]


def _taken_over(before: Object, after: Object, pointers: Iterable[str]) -> Object:
    for at in pointers:
        mine, theirs = leaf_at(before, at), leaf_at(after, at)
        if mine and theirs:
            before = put(before, {mine.at: theirs.written(theirs.text)})
    return before


def owned(obj: Object, owners: Iterable[Mapping[str, Any]]) -> Object:
    """Return `obj` with its owners in portable form: without uids, and without Kubeferry's bundle."""
    references = [
        {key: owner[key] for key in ("apiVersion", "kind", "name", "controller", "blockOwnerDeletion") if key in owner}
        for owner in owners
        if group_of(owner["apiVersion"]) != OURS
    ]
    references.sort(key=lambda owner: (owner["kind"], owner["name"]))
    return obj | {"metadata": obj["metadata"] | {"ownerReferences": references}} if references else obj


def owner_references(owners: Iterable[Owner], there: Callable[[Owner], bool]) -> list[dict[str, Any]]:
    """Return a backup's owners as ownerReferences without uids; a restore removes an owner that is not `there`."""
    references = []
    for each in owners:
        flags = {"controller": each.controller, "blockOwnerDeletion": each.block_owner_deletion}
        reference = {"apiVersion": each.api_version, "kind": each.kind, "name": each.name}
        if there(each):
            references.append(reference | {flag: value for flag, value in flags.items() if value is not None})
    return references
