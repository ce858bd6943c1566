"""Which objects a restore or a backup includes, and why: those that are selected, and their dependencies.

A dependency is an edge of the order (order.py): an object that a field names, an owner, an object whose value is used,
what an annotation says; or an implicit one (needs/implicit.py). Dependencies are transitive. Dependents are not
included: a selected Secret does not pull in the Deployments that use it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

    from kubeferry.tasks.core.graph.order import Edge
    from kubeferry.tasks.core.kube.objects import Ref


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Why an object is included: it is selected, or another object needs it."""

    reason: str
    """Why it is selected; or the field, annotation or rule by which `source` needs it."""
    source: Ref | None = None
    """The object that needs it; None for a selected one."""

    @property
    def text(self) -> str:
        """Return the reason as shown to a user."""
        return f"needed by {self.source}: {self.reason}" if self.source else self.reason


def selected(reasons: Mapping[Ref, str]) -> dict[Ref, Inclusion]:
    """Return the selected objects, each with its reason."""
    return {ref: Inclusion(reason) for ref, reason in reasons.items()}


def closure(
    selected: Mapping[Ref, Inclusion],
    edges: Iterable[Edge],
    there: Container[Ref],
    *,
    only: bool = False,
    may: Callable[[Ref], bool] = lambda _: True,
    always: Callable[[Ref], Iterable[tuple[Ref, str]]] = lambda _: (),
) -> dict[Ref, Inclusion]:
    """Return the included objects with the reason of each: the selected ones and what they need, transitively.

    `there` are the objects of the backup. With `only`, nothing but the selected objects is included, and what `always`
    yields for an object, with the reason: its namespace, the definition of its kind. `may` says which objects may be
    pulled in (a user who excludes Secrets gets none). If several objects need one, the reason is that with the fewest
    steps from a selected object, and of these the first; the order of the input does not change the reasons.
    """
    found = dict(sorted(selected.items()))
    needs: dict[Ref, list[Edge]] = {}
    for edge in () if only else edges:
        needs.setdefault(edge.source, []).append(edge)
    ahead = deque(found)
    while ahead:
        source = ahead.popleft()
        ranked = sorted(needs.get(source, ()), key=lambda edge: (edge.target, -edge.strength, edge.why))
        for target, why in (*((edge.target, edge.why) for edge in ranked), *always(source)):
            if target not in found and target in there and may(target):
                found[target] = Inclusion(why, source)
                ahead.append(target)
    return found


@dataclass(frozen=True, slots=True)
class Missing:
    """An object that others need and that is not included because it is excluded."""

    ref: Ref
    why: str
    """Why it is not included: `its kind is excluded`."""
    users: tuple[Ref, ...]
    """The objects that need it, sorted."""
    because: str
    """The field by which the first of them needs it."""

    @property
    def text(self) -> str:
        """Return the reason and the objects that need it, in one line."""
        more = f", and {len(self.users) - 1} more need it" if len(self.users) > 1 else ""
        return f"{self.why}; needed by {self.users[0]}: {self.because}{more}"


def missing(
    found: Container[Ref], edges: Iterable[Edge], why_not: Callable[[Ref], str], *, only: bool = False
) -> list[Missing]:
    """Return what the objects in `found` need and `why_not` gives a reason for excluding, sorted.

    With `only`, which includes nothing but the selection, nothing is missing.
    """
    lacking: dict[Ref, dict[Ref, str]] = {}
    for edge in () if only else edges:
        if edge.source in found and edge.target not in found and why_not(edge.target):
            users = lacking.setdefault(edge.target, {})
            users[edge.source] = min(edge.why, users.get(edge.source, edge.why))
    return [
        Missing(ref, why_not(ref), tuple(sorted(users)), users[min(users)]) for ref, users in sorted(lacking.items())
    ]
