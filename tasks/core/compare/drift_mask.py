"""Hide what a Secret holds and show all the same which of its values changed: by their size, and the word "changed".

No hash, by which a value could be guessed. Annotations are hidden too, as any of them may be a copy of the data; the
one that `kubectl apply` writes is kept readable, with the values inside it hidden. It refuses to touch any other kind.
"""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

from kubeferry.tasks.core.jsondoc.edit import Object, group_of
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED, parsed

OPEN = frozenset({"apiVersion", "kind", "metadata", "type", "immutable"})
"""Fields of a Secret that are shown; of its metadata all but the annotations."""

MISSING = object()


def masked(before: Object, after: Object) -> tuple[Object, Object]:
    """Return two versions of an object for people; {} stands for the version that one side does not have.

    Whatever differs in them differs in what is returned: in the second a hidden value that is not the same says so.
    """
    return _hidden(before, None), _hidden(after, before)


def is_secret(obj: Object) -> bool:
    """Return whether an object's values are never shown."""
    return obj.get("kind") == "Secret" and group_of(str(obj.get("apiVersion", ""))) == ""


def _hidden(obj: Object, former: Object | None) -> Object:
    """Return `obj` with its values hidden; those that `former` has too and that are not the same are marked."""
    if not is_secret(obj):
        return obj
    old = former or {}
    hidden = {
        field: value if field in OPEN else _values(value, old.get(field, MISSING), encoded=field == "data")
        for field, value in obj.items()
    }
    annotations = _map(obj.get("metadata")).get("annotations")
    if annotations:
        others = _map(old.get("metadata")).get("annotations", MISSING)
        told = _values(annotations, others, encoded=False)
        told = _with_copy(told, annotations, _map(others)) if isinstance(annotations, dict) else told
        hidden["metadata"] = obj["metadata"] | {"annotations": told}
    return hidden


def _with_copy(told: Object, annotations: Object, others: Object) -> Object:
    """Return annotations with the copy of the object that `kubectl apply` keeps readable, its values hidden."""
    copy, former = parsed(annotations.get(LAST_APPLIED)), parsed(others.get(LAST_APPLIED))
    if copy is None or not is_secret(copy):
        return told
    text = _written(_hidden(copy, former))
    only_spelled_anew = (
        LAST_APPLIED in others
        and others[LAST_APPLIED] != annotations[LAST_APPLIED]
        and text == _written(_hidden(former or {}, None))
    )
    return told if only_spelled_anew else told | {LAST_APPLIED: text}


def _written(obj: Object) -> str:
    return json.dumps(obj, sort_keys=True, indent=1, ensure_ascii=False)


def _values(value: Any, former: Any, *, encoded: bool) -> Any:
    if not isinstance(value, dict):
        return _mask(value, former, encoded=encoded)
    old = _map(former)
    return {key: _mask(each, old.get(key, MISSING), encoded=encoded) for key, each in value.items()}


def _mask(value: Any, former: Any, *, encoded: bool) -> str:
    changed = former is not MISSING and (type(former) is not type(value) or former != value)
    size = _size(value, encoded=encoded)
    return f"<secret, {size} byte{'' if size == 1 else 's'}{', changed' if changed else ''}>"


def _size(value: Any, *, encoded: bool) -> int:
    """Return how many bytes a value has; one of `data` when it is decoded, or as it stands where it is no base64."""
    if encoded:
        with suppress(TypeError, ValueError):
            return len(base64.b64decode(value, validate=True))
    text = value if isinstance(value, str) else json.dumps(value)
    return len(text.encode(errors="replace"))


def _map(value: Any) -> Object:
    return value if isinstance(value, dict) else {}
