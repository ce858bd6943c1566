"""One page of a LIST, as bytes: its items are parsed only when they are used.

An answer that is not a list is an error, never an empty list. The API server writes the metadata of a typed list before
its items, so the resourceVersion and the continue token are read from the start of the page; lists of custom resources
have sorted keys, items first, and are parsed as a whole.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from kubeferry.tasks.core.errors import ExpiredError, PermanentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType

T = TypeVar("T")

LISTS = 5
"""Attempts to read a list whose continue token expires: etcd is compacted every few minutes."""

NO_SERVER = "is this the address of an API server?"

_ITEMS = b'"items":['


def begun_again(read: Callable[[], T]) -> T:
    """Return the result of `read`, which lists from the start; call it again if its list expires midway.

    Raises:
        ExpiredError: it expired LISTS times.
    """
    for _ in range(LISTS - 1):
        try:
            return read()
        except ExpiredError:
            continue
    return read()


class Page:
    """One page of a LIST, as sent by the server."""

    def __init__(self, body: bytes, kind: ResourceType) -> None:
        """Read the metadata of the body.

        Raises:
            PermanentError: it is not a list, such as the answer of a login page.
        """
        self.body = body
        self._kind = kind
        self._meta: dict[str, Any] = self._head() or self._whole.get("metadata") or {}

    @property
    def revision(self) -> str:
        """Return the resourceVersion of the list."""
        return str(self._meta.get("resourceVersion", ""))

    @property
    def next(self) -> str:
        """Return the continue token, "" on the last page."""
        return str(self._meta.get("continue", ""))

    @property
    def empty(self) -> bool:
        """Return whether the page certainly has no items, without parsing them.

        The first `"items"` is that of the list: only the list's own metadata comes before it.
        """
        return self.body.partition(_ITEMS)[2].startswith(b"]")

    @cached_property
    def items(self) -> list[Object]:
        """Return the objects, with the apiVersion and kind that a LIST omits."""
        found: list[Object] = self._whole.get("items") or []
        for item in found:
            item.setdefault("apiVersion", self._kind.api_version)
            item.setdefault("kind", self._kind.kind)
        return found

    @cached_property
    def _whole(self) -> dict[str, Any]:
        try:
            parsed = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise PermanentError(f"list {self._kind.group_resource}: the answer is not JSON: {NO_SERVER}") from error
        if not isinstance(parsed, dict) or "items" not in parsed:
            raise PermanentError(f"list {self._kind.group_resource}: the answer is not a list: {NO_SERVER}")
        return parsed

    def _head(self) -> dict[str, Any] | None:
        """Return the list's metadata if it comes before the items: no content of users comes before them."""
        head, marker, _ = self.body.partition(_ITEMS)
        if not marker:
            return None
        try:
            found = orjson.loads(head + _ITEMS + b"]}")
        except orjson.JSONDecodeError:
            return None
        meta = found.get("metadata")
        return meta if isinstance(meta, dict) else None
