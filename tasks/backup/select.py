"""Decide what a selective backup contains: selected objects and their dependencies, with reasons and warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.backup.state import CLUSTER
from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.manifest import Selected
from kubeferry.tasks.core.formats.records import Problem, PulledIn
from kubeferry.tasks.core.graph.closure import Inclusion, closure, missing, selected
from kubeferry.tasks.core.needs.implicit import Implied
from kubeferry.tasks.core.selection.unmatched import Unmatched
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.backup.candidates import Candidates
    from kubeferry.tasks.backup.state import Fetched, Scope, Stripped, Unread
    from kubeferry.tasks.core.kube.objects import Ref

EXCLUDED = "its kind is excluded"
EMPTY = "nothing in it is selected, nor needed by what is"
TERMS = {"selector", "annotation_selector", "include", "exclude", "include_name", "exclude_name", "only"}
"""The options that select objects in the namespaces."""


class Chosen:
    """The included objects with their reasons, and the record of the selection. A plain class, as Candidates."""

    def __init__(self, found: dict[Ref, Inclusion], manifest_selection: Selected) -> None:
        """`found` maps each included object to its reason; `manifest_selection` goes into the manifest."""
        self.found = found
        self.manifest_selection = manifest_selection


@step("select")
async def select(scope: Scope, fetched: list[Fetched], candidates: list[Candidates]) -> Chosen:
    """Return the selected objects and their dependencies.

    Raises:
        UsageError: the selection matches nothing that can be backed up, or names an object that does not exist.
    """
    return await in_thread(_select, scope, fetched, candidates)


@step("write {part.namespace}")
async def write(part: Candidates, chosen: Chosen) -> Stripped:
    """Write a namespace's part of the archive; return its summary."""
    return await in_thread(part.write, chosen.found)


def _select(scope: Scope, fetched: list[Fetched], candidates: list[Candidates]) -> Chosen:
    unmatched, implied, selector = _unmatched(scope, candidates), _implied(candidates), scope.selector
    there = frozenset(ref for each in candidates for ref in each.records)
    barred = {ref: why for each in candidates for ref, why in each.barred.items()}
    sure = [*(edge for each in candidates for edge in each.edges), *implied.edges()]
    guesses = [*(edge for each in candidates for edge in each.guesses), *implied.by_default()]
    found = closure(
        selected({ref: why for each in candidates for ref, why in each.selected.items()}),
        [*sure, *guesses],
        there,
        only=selector.only,
        always=lambda ref: implied.always(ref) if ref in there else (),
    )
    found = {ref: each for ref, each in found.items() if ref in there}
    if not found:
        raise UsageError(unmatched.nothing(_where(scope)))
    unread = [*scope.unread, *(each for one in fetched for each in one.unread)]
    needed = [*sure, *(edge for edge in guesses if edge.target in barred)]
    lacking = missing(found, needed, lambda ref: _why_not(scope, ref, barred, unread), only=selector.only)
    warnings = [Problem(what=str(each.ref), why=each.text) for each in lacking]
    warnings += [Problem(what=what, why=why) for what, why in unmatched.unmatched()]
    warnings += [Problem(what=f"Namespace {name}", why=EMPTY) for name in _empty(candidates, found)]
    return Chosen(found, _record(scope, found, [*warnings, *_not_read(unread)]))


def _empty(candidates: list[Candidates], found: dict[Ref, Inclusion]) -> Iterator[str]:
    """Yield the namespaces of which nothing is included."""
    for each in candidates:
        if each.namespace != CLUSTER and each.records.keys().isdisjoint(found):
            yield each.namespace


def _where(scope: Scope) -> str:
    names = ", ".join(scope.namespaces)
    return f"namespace {names}" if len(scope.namespaces) == 1 else f"namespaces {names}"


def _unmatched(scope: Scope, candidates: list[Candidates]) -> Unmatched:
    unmatched = Unmatched(scope.selector)
    for each in candidates:
        unmatched.add(each.tally)
    if unmet := unmatched.no_such_name():
        raise UsageError(f"{_where(scope)}: {unmet}")
    return unmatched


def _implied(candidates: list[Candidates]) -> Implied:
    whole = Implied()
    for each in candidates:
        whole.add(each.implied)
    return whole


def _why_not(scope: Scope, ref: Ref, barred: dict[Ref, str], unread: list[Unread]) -> str:
    """Return why a needed object is not included, or "" if it does not exist."""
    if ref in barred:
        return barred[ref]
    inside = not ref.namespace or ref.namespace in scope.namespaces
    if (ref.group, ref.kind) in scope.excluded and inside:
        return EXCLUDED
    place = (ref.group, ref.kind, ref.namespace)
    why = next((each.why for each in unread if (each.group, each.kind, each.namespace) == place), "")
    return f"it could not be read: {why}" if why else ""


def _not_read(unread: list[Unread]) -> Iterator[Problem]:
    """Yield a warning for the types that could not be read, so that dependencies on them are unknown."""
    if unread:
        listed = sorted({each.what for each in unread})
        yield Problem(
            what=f"{len(listed)} types", why=f"not read, so nothing needed of them is in: {', '.join(listed)}"
        )


def _record(scope: Scope, found: dict[Ref, Inclusion], warnings: list[Problem]) -> Selected:
    pulled_in = [
        PulledIn(type=ref.type, namespace=ref.namespace, name=ref.name, why=each.text)
        for ref, each in sorted(found.items(), key=lambda one: one[0])
        if each.source
    ]
    options = scope.options.model_dump(mode="json", include=TERMS, exclude_defaults=True)
    return Selected(asked=scope.selector.text(), options=options, pulled_in=pulled_in, warnings=warnings)
