"""Read one namespace (or the cluster-scoped types) at the backup's revision into the spool, a page at a time.

A type that cannot be read is a problem that the backup tells, never a gap. 410 (the revision was compacted away) fails
the step with ExpiredError: all of the backup has to take a new revision, or it would not be one point in time.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tasks.core.errors import ForbiddenError, InvalidError, NotFoundError, UnavailableError
from tasks.core.manifest import Problem
from tasks.discover import NAMESPACES
from tasks.ports import progress
from tasks.ports.pages import begun_again
from tasks.ports.threads import in_threads
from tasks.ports.transport import THREADS
from tasks.scope import CLUSTER, Fetched, Scope, Unread
from tasks.step import in_thread, step

if TYPE_CHECKING:
    from tasks.core.resources import ResourceType

OWN_STORE = "its API server has a store of its own"


@step("fetch {namespace}")
async def fetch(scope: Scope, namespace: str) -> Fetched:
    """Spool all that a namespace holds; `namespace` is CLUSTER for the cluster-scoped types.

    Raises:
        ExpiredError: the revision is gone; start again with a new one.
    """
    return await in_thread(_fetch, scope, namespace)


def _fetch(scope: Scope, namespace: str) -> Fetched:
    folder = scope.folder(namespace)
    shutil.rmtree(folder, ignore_errors=True)  # of an attempt before this one
    (folder / "pages").mkdir(parents=True, mode=0o700)
    saved = [*scope.types, NAMESPACES] if namespace != CLUSTER else list(scope.related)
    types = saved + list(scope.indexed if namespace != CLUSTER else scope.everywhere)
    pages, problems, gaps, apart = 0, list[Problem](), dict[str, str](), dict[str, str]()
    unread: list[Unread] = []
    for done, (kind, (count, problem, why)) in enumerate(
        in_threads(lambda kind: (kind, _type(scope, namespace, kind)), types, THREADS), start=1
    ):
        pages += count
        if problem and kind in scope.followed:
            inside = namespace if kind.namespaced else ""
            unread.append(Unread(kind.group, kind.kind, inside, problem.what, problem.why))
        elif problem and kind in saved:
            problems.append(problem)
        elif problem:
            gaps[problem.what] = problem.why
        apart |= {kind.group_resource: why} if why and count else {}
        progress.step(f"fetch {namespace}", done, len(types))
    return Fetched(pages, tuple(problems), tuple(sorted(gaps.items())), tuple(sorted(apart.items())), tuple(unread))


def _type(scope: Scope, namespace: str, kind: ResourceType) -> tuple[int, Problem | None, str]:
    """Spool one type: how many pages, a problem that kept it from being read, why it is not at the revision."""
    try:
        if kind.group in scope.own_revisions:
            return _latest(scope, namespace, kind), None, OWN_STORE
        try:
            return _write(scope, namespace, kind, scope.revision), None, ""
        except (InvalidError, UnavailableError) as error:  # a server that does not know this cluster's revisions
            return _latest(scope, namespace, kind), None, str(error)
    except (ForbiddenError, NotFoundError, InvalidError, UnavailableError) as error:
        return 0, Problem(what=_what(kind, namespace), why=str(error)), ""


def _latest(scope: Scope, namespace: str, kind: ResourceType) -> int:
    """Spool a type as it is now; a list that expires midway starts again."""
    return begun_again(lambda: _write(scope, namespace, kind, ""))


def _write(scope: Scope, namespace: str, kind: ResourceType, revision: str) -> int:
    for old in scope.pages(namespace, kind):
        old.unlink()  # of a list that was begun and given up
    folder, count = scope.folder(namespace) / "pages", 0
    query = {"fieldSelector": f"metadata.name={namespace}"} if kind is NAMESPACES else {}
    inside = namespace if kind.namespaced and namespace != CLUSTER else ""
    for number, page in enumerate(scope.cluster().pages(kind, inside, revision=revision, query=query)):
        if not page.empty:
            (folder / f"{kind.group_resource}@{number:06}.json").write_bytes(page.body)
            count += 1
    return count


def _what(kind: ResourceType, namespace: str) -> str:
    return f"{kind.group_resource} in {namespace}" if kind.namespaced and namespace != CLUSTER else kind.group_resource
