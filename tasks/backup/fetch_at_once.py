"""Read many namespaces by lists of all of the cluster, and divide each page among them.

For hundreds of namespaces this is a request for each type instead of one for each type and namespace. Who may not list
all of the cluster reads that type in each namespace: nothing is lost by it, but time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from kubeferry.tasks.backup.fetch import PROBLEMS, Read, at_revision, gathered, make_folder, read, told
from kubeferry.tasks.core.errors import ForbiddenError
from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.selection.resource_types import NAMESPACES
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kubeferry.tasks.backup.state import Fetched, Scope
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.ports.cluster.pages import Page


@step("fetch all namespaces at once")
async def fetch_at_once(scope: Scope) -> Fetched:
    """Spool all that the namespaces hold.

    Raises:
        ExpiredError: the revision is gone; start again with a new one.
    """
    return await in_thread(_fetch, scope)


def _fetch(scope: Scope) -> Fetched:
    for namespace in scope.namespaces:
        make_folder(scope, namespace)
    saved = [*scope.types, NAMESPACES]
    types = [*saved, *scope.indexed]
    everything = in_threads(lambda kind: _everywhere(scope, kind), types, THREADS)
    return gathered(scope, saved, told("fetch all namespaces", len(types), _one_by_one(scope, everything)))


def _everywhere(scope: Scope, kind: ResourceType) -> Read | ResourceType:
    """Spool one type of all namespaces; return the type itself where that is not allowed."""
    try:
        pages, why = at_revision(scope, kind, lambda revision: _write(scope, kind, revision))
        return Read(kind, "", pages, why=why)
    except ForbiddenError:
        return kind
    except PROBLEMS as error:
        return Read(kind, "", 0, Problem(what=kind.group_resource, why=str(error)))


def _one_by_one(scope: Scope, found: Iterator[Read | ResourceType]) -> Iterator[Read]:
    for each in found:
        if isinstance(each, Read):
            yield each
        else:
            yield from in_threads(lambda name, kind=each: read(scope, name, kind), scope.namespaces, THREADS)  # type: ignore[misc] # mypy cannot type the default


def _write(scope: Scope, kind: ResourceType, revision: str) -> Iterator[Path]:
    wanted = frozenset(scope.namespaces)
    for number, page in enumerate(scope.cluster().pages(kind, revision=revision)):
        for namespace, items in _divided(page, wanted).items():
            file = scope.page(namespace, kind, number)
            file.write_bytes(orjson.dumps({"items": items}))
            yield file


def _divided(page: Page, wanted: frozenset[str]) -> dict[str, list[Object]]:
    """Return the objects of a page by the namespace that they stand in, or are."""
    found: dict[str, list[Object]] = {}
    for item in () if page.empty else page.items:
        meta = item["metadata"]
        name = meta.get("namespace") or meta["name"]
        if name in wanted:
            found.setdefault(name, []).append(item)
    return found
