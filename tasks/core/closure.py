"""Which objects are in a restore or backup, and why: those that were selected, and what they need.

A need is an edge of the order (order.py): what a field names, an owner, whose value is used, what an annotation says.
Needs of needs count too. It refuses to pull in what only points at a selected object: who selects a Secret does not get
the Deployments that use it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.core.objects import Object, Ref, annotations_of, labels_of
from tasks.core.selection import Requirement, selects

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

    from tasks.core.order import Edge


@dataclass(frozen=True, slots=True)
class Selector:
    """What is asked for; an empty one selects everything. All that is given has to be met."""

    labels: tuple[Requirement, ...] = ()
    annotations: tuple[Requirement, ...] = ()
    kinds: frozenset[str] = frozenset()
    """Any of the names of a kind, in lower case: `deployment`, `deployments`, `deployment.apps`, `deployments.apps`."""
    names: frozenset[str] = frozenset()
    """`name`, or `kind/name` with one of the names of the kind."""
    not_kinds: frozenset[str] = frozenset()
    not_names: frozenset[str] = frozenset()
    namespaces: frozenset[str] | None = None
    """The namespaces that a namespace selector matches; None: all. Says nothing of cluster-scoped objects."""

    def why(self, obj: Object, plural: str = "") -> str | None:
        """Return why `obj` is selected, in a phrase; None where it is not. `plural` is its type's name in URLs."""
        ref = Ref.of(obj)
        kinds = names_of(ref, plural)
        called = {ref.name, *(f"{kind}/{ref.name}" for kind in kinds)}
        if kinds & self.not_kinds or called & self.not_names:
            return None
        if self.namespaces is not None and ref.namespace and ref.namespace not in self.namespaces:
            return None
        if (self.kinds and not kinds & self.kinds) or (self.names and not called & self.names):
            return None
        if not (selects(self.labels, labels_of(obj)) and selects(self.annotations, annotations_of(obj))):
            return None
        return self._told(ref)

    def _told(self, ref: Ref) -> str:
        parts = [
            *(f"label {text_of(each)}" for each in self.labels),
            *(f"annotation {text_of(each)}" for each in self.annotations),
            *([f"kind {ref.kind}"] if self.kinds else []),
            *([f"name {ref.name}"] if self.names else []),
        ]
        if parts:
            return f"selected by {', '.join(parts)}"
        return f"in namespace {ref.namespace}" if ref.namespace else "cluster-wide, all of it is asked for"


def names_of(ref: Ref, plural: str = "") -> frozenset[str]:
    """Return what a user may call the kind of an object, in lower case."""
    words = {ref.kind.lower(), *([plural.lower()] if plural else [])}
    return frozenset(words | {f"{word}.{ref.group}" for word in words if ref.group})


def text_of(requirement: Requirement) -> str:
    """Return a requirement as a user writes it: `app=web`, `tier in (api,web)`, `!canary`."""
    key, values = requirement.key, sorted(requirement.values)
    if requirement.op in ("exists", "absent"):
        return key if requirement.op == "exists" else f"!{key}"
    if len(values) == 1:
        return f"{key}{'=' if requirement.op == 'in' else '!='}{values[0]}"
    return f"{key} {requirement.op} ({','.join(values)})"


def closure(
    selected: Mapping[Ref, str],
    edges: Iterable[Edge],
    there: Container[Ref],
    *,
    only: bool = False,
    may: Callable[[Ref], bool] = lambda _: True,
) -> dict[Ref, str]:
    """Return why each object is in: what is selected, with its reason, and what that needs, transitively.

    `there` is what the backup holds. `only` takes nothing but what is selected. `may` tells what may be pulled in at
    all (a user who excludes Secrets gets none). An object that several need is told by the need that is fewest steps
    from what is selected, of these the first; the same input gives the same reasons whatever order it comes in.
    """
    found = dict(sorted(selected.items()))
    if only:
        return found
    needs: dict[Ref, list[Edge]] = {}
    for edge in edges:
        needs.setdefault(edge.source, []).append(edge)
    ahead = deque(found)
    while ahead:
        source = ahead.popleft()
        for edge in sorted(needs.get(source, ()), key=lambda edge: (edge.target, -edge.strength, edge.why)):
            if edge.target not in found and edge.target in there and may(edge.target):
                found[edge.target] = f"needed by {source}: {edge.why}"
                ahead.append(edge.target)
    return found
