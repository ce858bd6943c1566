"""Read what was downloaded as untrusted input: the objects of the archive and the links file, each line checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from tasks.core.errors import DamagedError
from tasks.core.links import Links, from_json
from tasks.core.objects import Object, Ref
from tasks.ports import gzip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tasks.restoring import Archived, Restoring

_UNREADABLE: tuple[type[Exception], ...] = (*gzip.DAMAGED, orjson.JSONDecodeError)


def stored_links(restoring: Restoring) -> Iterator[tuple[Ref, tuple[Links, str]]]:
    """Yield what tied each object to its old cluster, and why it was not ready; nothing for others' archives.

    Raises:
        DamagedError: a line is not of that shape.
    """
    path = restoring.work / "links.jsonl.gz"
    if not path.exists():
        return
    try:
        with gzip.reader(path) as file:
            for line in file:
                value = orjson.loads(line)
                yield Ref(*_four(value)), (from_json(value), str(value.get("notReady", "")))
    except _UNREADABLE as error:
        raise DamagedError(f"backup {restoring.options.backup}: its links file is damaged: {error}") from error


def _four(value: Any) -> list[str]:
    parts = value.get("ref") if isinstance(value, dict) else None
    if not isinstance(parts, list) or len(parts) != 4 or not all(isinstance(part, str) for part in parts):  # noqa: PLR2004 - a Ref's fields
        raise DamagedError("a line of the links file names no object")
    return parts


def archived_object(restoring: Restoring, each: Archived) -> Object:
    """Return an object of the archive.

    Raises:
        DamagedError: it is not a Kubernetes object, or not the one that its place says.
    """
    where = f"backup {restoring.options.backup}: {each.member.path}"
    try:
        obj = restoring.archive.read(each.slot)
    except orjson.JSONDecodeError as error:
        raise DamagedError(f"{where} is not JSON") from error
    meta = obj.get("metadata") if isinstance(obj, dict) else None
    told = (meta.get("namespace") or "", meta.get("name")) if isinstance(meta, dict) else None
    if not isinstance(meta, dict) or told != (each.member.namespace, each.member.name):
        raise DamagedError(f"{where} holds another object than its name says")
    if not (_texts(meta.get("labels")) and _texts(meta.get("annotations"))):
        raise DamagedError(f"{where} has labels or annotations that are not text")
    if not (isinstance(obj.get("apiVersion"), str) and isinstance(obj.get("kind"), str)):
        raise DamagedError(f"{where} holds no Kubernetes object")
    checked: Object = obj
    return checked


def _texts(value: Any) -> bool:
    """Return whether a value can be labels or annotations."""
    return value is None or (isinstance(value, dict) and all(isinstance(each, str) for each in value.values()))
