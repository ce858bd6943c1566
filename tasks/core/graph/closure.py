"""Which objects are in a restore or backup, and why: those that were selected, and what they need.

A need is an edge of the order (order.py): what a field names, an owner, whose value is used, what an annotation says;
or one that no field tells (implied.py). Needs of needs count too. It refuses to pull in what only points at a selected
object: who selects a Secret does not get the Deployments that use it.
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
    """Why an object is in: it is selected, or another one needs it."""

    reason: str
    """Why it is selected; or by which field, annotation or rule `source` needs it."""
    source: Ref | None = None
    """The object that needs it; None for one that is selected."""

    @property
    def text(self) -> str:
        """Return it as a person reads it."""
        return f"needed by {self.source}: {self.reason}" if self.source else self.reason


def selected(reasons: Mapping[Ref, str]) -> dict[Ref, Inclusion]:
    """Return what is selected, each with its reason."""
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
    """Return why each object is in: what is selected, with its reason, and what that needs, transitively.

    `there` is what the backup holds. `only` takes nothing but what is selected, and what `always` says that an object
    cannot be without, with the reason: its namespace, the definition of its kind. `may` tells what may be pulled in at
    all (a user who excludes Secrets gets none). An object that several need is told by the need that is fewest steps
    from what is selected, of these the first; the same input gives the same reasons whatever order it comes in.
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
    """Something that objects need and that is not in because it was not to be."""

    ref: Ref
    why: str
    """Why it is not in: `its kind is excluded`."""
    users: tuple[Ref, ...]
    """Who needs it, sorted."""
    because: str
    """By which field the first of them does."""

    @property
    def text(self) -> str:
        """Return the reason and who needs it, in one line."""
        more = f", and {len(self.users) - 1} more need it" if len(self.users) > 1 else ""
        return f"{self.why}; needed by {self.users[0]}: {self.because}{more}"


def missing(
    found: Container[Ref], edges: Iterable[Edge], why_not: Callable[[Ref], str], *, only: bool = False
) -> list[Missing]:
    """Return what the objects in `found` need and `why_not` gives a reason for not being in, sorted.

    Who asks for `only` what is selected misses nothing.
    """
    lacking: dict[Ref, dict[Ref, str]] = {}
    for edge in () if only else edges:
        if edge.source in found and edge.target not in found and why_not(edge.target):
            users = lacking.setdefault(edge.target, {})
            users[edge.source] = min(edge.why, users.get(edge.source, edge.why))
    return [
        Missing(ref, why_not(ref), tuple(sorted(users)), users[min(users)]) for ref, users in sorted(lacking.items())
    ]
