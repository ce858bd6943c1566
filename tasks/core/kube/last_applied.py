"""The annotation of `kubectl apply`: the object as its author last wrote it, read and written as kubectl does.

What it holds is input from outside: JSON of any depth, or none at all. It refuses to guess at what is no object.
"""

from __future__ import annotations

import json
from typing import Any

from kubeferry.tasks.core.jsondoc.edit import Object, get
from kubeferry.tasks.core.jsondoc.encoding import is_deep
from kubeferry.tasks.core.jsondoc.limits import MAX_DEPTH

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation in which `kubectl apply` keeps the object as its author last wrote it."""


def parsed(text: Any) -> Object | None:
    """Return the object that `text` holds as JSON, or None where it holds none."""
    if not isinstance(text, str):
        return None
    try:
        obj = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if text.count("{") + text.count("[") > MAX_DEPTH and is_deep(obj):
        return None
    shaped = isinstance(get(obj, "metadata"), dict) and all(
        isinstance(get(obj, k), str) for k in ("apiVersion", "kind")
    )
    return obj if shaped else None


def as_kubectl(obj: Object) -> str:
    """Return `obj` as Go's encoder writes it: some characters, found in strings only, are escaped.

    Raw UTF-8 and not ASCII, since all annotations share 256 KiB; half a surrogate pair, which UTF-8 cannot hold,
    becomes a question mark.
    """
    text = json.dumps(obj, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.translate(_ESCAPED).encode(errors="replace").decode() + "\n"


_ESCAPED = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})
