"""The last-applied-configuration annotation of `kubectl apply`, read and written as kubectl does.

Its value is untrusted input: JSON of any depth, or no JSON. What is not a Kubernetes object counts as none.
"""

from __future__ import annotations

import json
from typing import Any

from kubeferry.tasks.core.jsondoc.edit import Object, get
from kubeferry.tasks.core.jsondoc.encoding import is_deep
from kubeferry.tasks.core.jsondoc.limits import MAX_DEPTH

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation in which `kubectl apply` keeps the manifest as it was last applied."""


def parsed(text: Any) -> Object | None:
    """Return the object that `text` holds as JSON, or None if it holds none."""
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
    """Return `obj` as Go's JSON encoder writes it, which escapes some characters in strings.

    UTF-8 and not ASCII, since all annotations together are limited to 256 KiB; half a surrogate pair, which UTF-8
    cannot encode, becomes a question mark.
    """
    text = json.dumps(obj, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.translate(_ESCAPED).encode(errors="replace").decode() + "\n"


_ESCAPED = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})
