"""Which values must not be shown: those of a Secret. The one place that decides it, for output of every form.

Only what is named here is shown, so that a field that a later Kubernetes adds to a Secret stays hidden. Annotations are
hidden, because any of them may repeat the data (`kubectl apply` writes such a copy).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.jsondoc.edit import group_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubeferry.tasks.core.jsondoc.edit import Object

METADATA, ANNOTATIONS = "metadata", "annotations"

SHOWN_FIELDS = frozenset({"apiVersion", "kind", "type", "immutable"})
"""Fields of a Secret that are shown, besides those of its metadata."""


def is_confidential(group: str, kind: str) -> bool:
    """Return whether objects of a kind hold values that must not be shown."""
    return (group, kind) == ("", "Secret")


def is_secret(obj: Object) -> bool:
    """Return whether an object, which may come from anywhere, is a Secret."""
    return is_confidential(group_of(str(obj.get("apiVersion", ""))), str(obj.get("kind")))


def may_show(path: Sequence[str]) -> bool:
    """Return whether the value at a path of a Secret may be shown: `metadata`, `labels`, `app`.

    A path that ends above the annotations (`metadata`, or none) has them in its value.
    """
    if len(path) > 1 and path[0] == METADATA:
        return path[1] != ANNOTATIONS
    return len(path) == 1 and path[0] in SHOWN_FIELDS
