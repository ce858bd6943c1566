"""Check that the levels of a plan can be created one after the other, independently of the code that made them.

The edges of the plan and the owners of its objects are taken as given; whether an edge is needed is not checked.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.links import owner_ref
from kubeferry.tasks.core.graph.order import Via

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.plan.parts import Parts


def order_faults(parts: Parts) -> list[str]:
    """Return a line for each fault; empty if the order holds.

    It holds if every object is in exactly one level, everything that is needed is in an earlier level than what needs
    it, and edges to a level that is not earlier are among the broken ones.
    """
    places: dict[Ref, list[int]] = {}
    for number, refs in enumerate([[*parts.first, *parts.definitions], *parts.order.levels]):
        for ref in refs:
            places.setdefault(ref, []).append(number)
    level = {ref: numbers[0] for ref, numbers in places.items()}
    return [*_places(parts, places), *_needs(parts, level), *_owners(parts, level)]


def _places(parts: Parts, places: dict[Ref, list[int]]) -> Iterator[str]:
    for ref in sorted(parts.items.keys() | places.keys()):
        numbers = places.get(ref, [])
        if ref not in parts.items:
            yield f"{ref} is in level {numbers[0]} and not in the plan"
        elif not numbers:
            yield f"{ref} is in no level"
        elif len(numbers) > 1:
            counts = ", ".join(f"{count} times in level {at}" for at, count in sorted(Counter(numbers).items()))
            yield f"{ref} is in more than one place: {counts}"


def _needs(parts: Parts, level: dict[Ref, int]) -> Iterator[str]:
    for source in sorted(parts.order.needs):
        for edge in parts.order.needs[source]:
            if edge.source != source:
                yield f"an edge of {edge.source} is listed under {source}"
            if edge.target not in level or source not in level:
                yield f"{source} needs {edge.target} ({edge.why}), and one of them is in no level"
            elif level[edge.target] >= level[source]:
                yield (
                    f"{source} in level {level[source]} needs {edge.target} ({edge.why}), which is in level "
                    f"{level[edge.target]}"
                )


def _owners(parts: Parts, level: dict[Ref, int]) -> Iterator[str]:
    """Yield owners that are created too late and are not among the broken edges."""
    given_up = {(edge.source, edge.target) for edge in parts.order.broken}
    given_up |= {
        (edge.target, edge.source) for some in parts.order.needs.values() for edge in some if edge.via is Via.ADOPTION
    }
    for ref, part in sorted(parts.items.items()):
        for owner in part.owners:
            both = {owner_ref(owner, ref.namespace), owner_ref(owner, "")} - {ref}
            for target in sorted(both & level.keys()):
                if level[target] >= level.get(ref, 0) > 0 and (ref, target) not in given_up:
                    yield f"{ref} in level {level[ref]} is owned by {target}, which is in level {level[target]}"
