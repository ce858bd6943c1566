"""Read namespaces and cluster-scoped types at the backup's revision into the spool, page by page.

A type that cannot be read is reported as a problem of the backup, never silently skipped. A 410 (the revision was
compacted) fails the step with ExpiredError: the whole backup must start again at a new revision, to be of one point in
time. Hundreds of namespaces are read by cluster-wide lists, whose pages are divided among them: one request for each
type instead of one for each type and namespace. A type that may not be listed cluster-wide is read in each namespace.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import orjson

from kubeferry.tasks.backup.state import CLUSTER, Fetched, Scope, Unread
from kubeferry.tasks.core.errors import ForbiddenError, InvalidError, NotFoundError, UnavailableError
from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.selection.resource_types import NAMESPACES, OPTIONAL
from kubeferry.tasks.ports.cluster.pages import begun_again
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterable, Iterator
    from pathlib import Path

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.ports.cluster.pages import Page


T = TypeVar("T")

PROBLEMS = (ForbiddenError, NotFoundError, InvalidError, UnavailableError)
"""Errors of one type that do not affect the others."""

OWN_STORE = "its API server has a store of its own"


@step("fetch {namespace}")
async def fetch(scope: Scope, namespace: str) -> Fetched:
    """Spool all objects of a namespace; `namespace` is CLUSTER for the cluster-scoped types.

    Raises:
        ExpiredError: the revision was compacted; start again with a new one.
    """
    return await in_thread(_fetch, scope, namespace)


def _fetch(scope: Scope, namespace: str) -> Fetched:
    make_folder(scope, namespace)
    saved = [*scope.types, NAMESPACES] if namespace != CLUSTER else [*scope.related, *scope.elsewhere]
    types = saved + list(scope.indexed if namespace != CLUSTER else scope.everywhere)
    return gathered(
        scope,
        saved,
        reported(
            f"fetch {namespace}", len(types), in_threads(lambda kind: read(scope, namespace, kind), types, THREADS)
        ),
        {each for each in saved if (each.group, each.resource) in OPTIONAL} if namespace == CLUSTER else (),
    )


def make_folder(scope: Scope, namespace: str) -> None:
    """Create the folder of a namespace; delete files from an earlier attempt."""
    folder = scope.folder(namespace)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "pages").mkdir(parents=True, mode=0o700)


@dataclass(frozen=True, slots=True)
class Read:
    """The result of reading one type: pages, a problem if it could not be read, why it is not at the revision.

    `namespace` is "" for a cluster-wide list.
    """

    kind: ResourceType
    namespace: str
    pages: int
    problem: Problem | None = None
    why: str = ""


def reported(title: str, total: int, reads: Iterable[T]) -> Iterator[T]:
    """Yield the results and report the progress."""
    for done, each in enumerate(reads, start=1):
        yield each
        progress.step(title, done, total)


def gathered(
    scope: Scope, saved: Collection[ResourceType], reads: Iterable[Read], optional: Container[ResourceType] = ()
) -> Fetched:
    """Return the summary of the results; `saved` are the types to back up, `optional` those that only tell more."""
    pages, problems, gaps, apart = 0, list[Problem](), dict[str, str](), dict[str, str]()
    unread, losses = list[Unread](), list[Loss]()
    for each in reads:
        kind, problem = each.kind, each.problem
        pages += each.pages
        if problem and kind in optional:
            losses.append(_not_looked_at(kind, problem))
        elif problem and kind in scope.followed:
            unread.append(Unread(kind.group, kind.kind, each.namespace, problem.what, problem.why))
        elif problem and kind in saved:
            problems.append(problem)
        elif problem:
            gaps[problem.what] = problem.why
        apart |= {kind.group_resource: each.why} if each.why and each.pages else {}
    return Fetched(
        pages,
        tuple(problems),
        tuple(sorted(gaps.items())),
        tuple(sorted(apart.items())),
        tuple(unread),
        tuple(losses),
    )


def _not_looked_at(kind: ResourceType, problem: Problem) -> Loss:
    """Return that it is not known what of a type has to do with the namespaces."""
    where = f"{kind.group_resource} of other namespaces" if kind.namespaced else kind.group_resource
    return Loss.of(where, LossCode.NOT_LOOKED_AT, problem.why)


def read(scope: Scope, namespace: str, kind: ResourceType) -> Read:
    """Spool one type of a namespace."""
    inside = namespace if kind.namespaced and namespace != CLUSTER else ""
    try:
        pages, why = at_revision(scope, kind, lambda revision: _write(scope, namespace, kind, revision))
        return Read(kind, inside, pages, why=why)
    except PROBLEMS as error:
        return Read(
            kind, inside, 0, Problem(what=_what(kind, namespace), why=str(error), group=kind.group, namespace=inside)
        )


def at_revision(scope: Scope, kind: ResourceType, write: Callable[[str], Iterable[Path]]) -> tuple[int, str]:
    """Return the number of pages that `write` spools, and why they are not at the backup's revision ("" if they are).

    The pages of an aborted list are deleted before the next attempt.
    """
    spooled: list[Path] = []

    def spool(revision: str) -> int:
        while spooled:
            spooled.pop().unlink()
        for page in write(revision):
            spooled.append(page)  # noqa: PERF402 - pages before an error must be recorded, too
        return len(spooled)

    if kind.group in scope.own_revisions:
        return begun_again(lambda: spool("")), OWN_STORE
    try:
        return spool(scope.revision), ""
    except (InvalidError, UnavailableError) as error:  # an aggregated server with its own revisions
        return begun_again(lambda: spool("")), str(error)


def _write(scope: Scope, namespace: str, kind: ResourceType, revision: str) -> Iterator[Path]:
    query = {"fieldSelector": f"metadata.name={namespace}"} if kind is NAMESPACES else {}
    inside = namespace if kind.namespaced and namespace != CLUSTER else ""
    for number, page in enumerate(scope.cluster().pages(kind, inside, revision=revision, query=query)):
        if not page.empty:
            file = scope.page(namespace, kind, number)
            file.write_bytes(page.body)
            yield file


def _what(kind: ResourceType, namespace: str) -> str:
    return f"{kind.group_resource} in {namespace}" if kind.namespaced and namespace != CLUSTER else kind.group_resource


@step("fetch all namespaces at once")
async def fetch_at_once(scope: Scope) -> Fetched:
    """Spool all objects of all namespaces, by cluster-wide lists.

    Raises:
        ExpiredError: the revision was compacted; start again with a new one.
    """
    return await in_thread(_fetch_at_once, scope)


def _fetch_at_once(scope: Scope) -> Fetched:
    for namespace in scope.namespaces:
        make_folder(scope, namespace)
    saved = [*scope.types, NAMESPACES]
    types = [*saved, *scope.indexed]
    everything = in_threads(lambda kind: _everywhere(scope, kind), types, THREADS)
    return gathered(scope, saved, reported("fetch all namespaces", len(types), _one_by_one(scope, everything)))


def _everywhere(scope: Scope, kind: ResourceType) -> Read | ResourceType:
    """Spool one type of all namespaces; return the type itself if a cluster-wide list is forbidden."""
    try:
        pages, why = at_revision(scope, kind, lambda revision: _write_divided(scope, kind, revision))
        return Read(kind, "", pages, why=why)
    except ForbiddenError:
        return kind
    except PROBLEMS as error:
        return Read(kind, "", 0, Problem(what=kind.group_resource, why=str(error), group=kind.group))


def _one_by_one(scope: Scope, found: Iterator[Read | ResourceType]) -> Iterator[Read]:
    for each in found:
        if isinstance(each, Read):
            yield each
        else:
            yield from in_threads(lambda name, kind=each: read(scope, name, kind), scope.namespaces, THREADS)  # type: ignore[misc] # mypy cannot type the default


def _write_divided(scope: Scope, kind: ResourceType, revision: str) -> Iterator[Path]:
    wanted = frozenset(scope.namespaces)
    for number, page in enumerate(scope.cluster().pages(kind, revision=revision)):
        for namespace, items in _divided(page, wanted).items():
            file = scope.page(namespace, kind, number)
            file.write_bytes(orjson.dumps({"items": items}))
            yield file


def _divided(page: Page, wanted: frozenset[str]) -> dict[str, list[Object]]:
    """Return the objects of a page by namespace; a Namespace belongs to itself."""
    found: dict[str, list[Object]] = {}
    for item in () if page.empty else page.items:
        meta = item["metadata"]
        name = meta.get("namespace") or meta["name"]
        if name in wanted:
            found.setdefault(name, []).append(item)
    return found
