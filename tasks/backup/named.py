"""Read the cluster-scoped objects that the objects of a backup name, of the types that are not read as a whole.

Such are custom resources (a ClusterIssuer, a GatewayClass) and a few built-in classes. A cluster may serve a hundred of
these types, with many thousand objects: only what is named is read, and what that names in turn. So it is read after
all other objects, at the same revision. A revision that is compacted by then would mean to begin the whole backup
again: instead, what is there now is taken, and the manifest says so (`not_at_revision`).
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

import orjson

from kubeferry.tasks.backup.fetch import PROBLEMS, at_revision
from kubeferry.tasks.backup.state import CLUSTER, Fetched, Scope
from kubeferry.tasks.core.errors import ExpiredError
from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.cluster_scoped import CRD, Needs
from kubeferry.tasks.core.needs.outside import related
from kubeferry.tasks.core.needs.references.find import references
from kubeferry.tasks.core.selection.resource_types import FEW
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType

LATER = "read by name after the revision was compacted"

_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9.:_]{0,251}[A-Za-z0-9])?", re.ASCII)
"""What can be asked for by a field selector; no custom resource has another name."""


class Reading(Protocol):
    """What the part of a namespace says about what it needs: Stripped and Candidates have it."""

    @property
    def kinds(self) -> Collection[tuple[str, str]]:
        """Return the (group, kind) of its objects."""

    @property
    def wants(self) -> Mapping[Ref, tuple[Ref, str]]:
        """Return the cluster-scoped objects that they refer to, each with one that does, and the path of the field."""


def needs_of_parts(scope: Scope, parts: Iterable[Reading]) -> Needs:
    """Return what the namespaces of a backup need of the cluster-scoped objects."""
    listed = list(parts)
    users = {ref: user for each in reversed(listed) for ref, user in each.wants.items()}
    return Needs(frozenset(scope.namespaces), frozenset(kind for each in listed for kind in each.kinds), users, users)


@step("fetch (named)")
async def fetch_named(scope: Scope, parts: Sequence[Reading]) -> tuple[Scope, Fetched]:
    """Spool what is named; return the scope with the types of it among those that the namespaces need."""
    return await in_thread(_fetch_named, scope, parts)


def _fetch_named(scope: Scope, parts: Sequence[Reading]) -> tuple[Scope, Fetched]:
    kinds = {(each.group, each.kind): each for each in scope.named}
    needs = needs_of_parts(scope, parts)
    asked: set[Ref] = set()
    read: dict[ResourceType, int] = {}
    problems: list[Problem] = []
    apart: dict[str, str] = {}
    while found := {ref for ref in _named(scope, needs, read, kinds) if ref not in asked and _NAME.fullmatch(ref.name)}:
        asked |= found
        wanted = _names(found, kinds)
        spooled = in_threads(partial(_read, scope, wanted, dict(read)), wanted, THREADS)
        for kind, (pages, why, error) in zip(wanted, spooled, strict=True):
            problems += (_unread(kind, name, error, needs) for name in sorted(wanted[kind]) if error)
            read[kind] = read.get(kind, 0) + pages
            apart |= {kind.group_resource: why} if why and pages else {}
    there = tuple(kind for kind, pages in read.items() if pages)
    fetched = Fetched(sum(read.values()), tuple(problems), (), tuple(sorted(apart.items())))
    return replace(scope, related=(*scope.related, *there)), fetched


def _names(found: Iterable[Ref], kinds: Mapping[tuple[str, str], ResourceType]) -> dict[ResourceType, set[str]]:
    """Return names by type."""
    wanted: dict[ResourceType, set[str]] = {}
    for ref in found:
        wanted.setdefault(kinds[ref.group, ref.kind], set()).add(ref.name)
    return wanted


def _named(
    scope: Scope, needs: Needs, read: Mapping[ResourceType, int], kinds: Collection[tuple[str, str]]
) -> Iterator[Ref]:
    """Yield what the namespaces name of these kinds, and what is named by what they need."""
    names: dict[Ref, list[Ref]] = {}

    def noted() -> Iterator[Object]:
        others = [each for each in scope.related if (each.group, each.kind) != CRD]
        for obj in scope.objects(CLUSTER, [*others, *read]):
            names[Ref.of(obj)] = [each.target for each in references(obj)]
            yield obj

    if not kinds:
        return
    wanted = related(noted(), needs)
    for target in (*needs.objects, *(target for ref in wanted for target in names.get(ref, ()))):
        if not target.namespace and (target.group, target.kind) in kinds:
            yield target


def _read(
    scope: Scope, wanted: Mapping[ResourceType, set[str]], read: Mapping[ResourceType, int], kind: ResourceType
) -> tuple[int, str, str]:
    """Spool the objects of some names; return the pages, why they are not at the revision, and what failed."""
    names = wanted[kind]
    queries = [{"fieldSelector": f"metadata.name={name}"} for name in sorted(names)] if len(names) <= FEW else [{}]

    def write(revision: str) -> Iterator[Path]:
        number = read.get(kind, 0)
        for query in queries:
            for page in scope.cluster().pages(kind, revision=revision, query=query):
                items = [] if page.empty else [item for item in page.items if item["metadata"]["name"] in names]
                if items:
                    file = scope.page(CLUSTER, kind, number)
                    file.write_bytes(orjson.dumps({"items": items}))
                    number += 1
                    yield file

    try:
        try:
            return *at_revision(scope, kind, write), ""
        except ExpiredError:
            pages, _ = at_revision(replace(scope, revision=""), kind, write)
            return pages, LATER, ""
    except PROBLEMS as error:
        return 0, "", str(error)


def _unread(kind: ResourceType, name: str, error: str, needs: Needs) -> Problem:
    ref = Ref(kind.group, kind.kind, "", name)
    user, path = needs.users.get(ref, (None, ""))
    who = f"; {user} names it ({path})" if user else ""
    return Problem(what=str(ref), why=f"it is needed and could not be read: {error}{who}", group=kind.group)
