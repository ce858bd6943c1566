"""Take out of a plan what the target refuses, with all that needs it: the rest is restored (--on-failure continue)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.graph.order import Strength
from kubeferry.tasks.core.kube.kinds import NAMESPACE
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.step import log

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from kubeferry.tasks.core.graph.order import Edge
    from kubeferry.tasks.plan.state import Plan


def leave_out(plan: Plan, refused: Mapping[Ref, str], there: Container[Ref] = ()) -> list[Loss]:
    """Take refused objects, and what cannot be without them, out of a plan; the levels keep their numbers.

    A field that only names an object is no need: the API server takes it, and the named one can come later.

    Args:
        plan: what is restored.
        refused: the objects that the target refuses, each with the reason.
        there: what was written already, and stays.

    Returns:
        A loss for each object that is taken out.
    """
    needing = _needing(plan)
    gone: dict[Ref, Ref | None] = {ref: None for ref in sorted(refused) if ref in plan.items and ref not in there}
    todo = list(gone)
    while todo:
        ref = todo.pop()
        for each in needing.get(ref, ()):
            if each not in gone and each in plan.items and each not in there:
                gone[each] = ref
                todo.append(each)
    plan.remove(gone, renumber=False)
    return [
        Loss.of(ref, LossCode.NEEDS_REFUSED, str(need)) if need else Loss.of(ref, LossCode.REFUSED, refused[ref])
        for ref, need in sorted(gone.items())
    ]


def log_left_out(lost: Iterable[Loss]) -> None:
    """Name what was taken out of a plan in the log of the run."""
    for each in lost:
        log(f"{each.object} {each.why}")


def needs(plan: Plan, ref: Ref) -> list[Ref]:
    """Return what an object cannot be without, or not get ready without, in order."""
    return sorted({each.target for each in _firm(plan, plan.order.needs.get(ref, ()))})


def _firm(plan: Plan, edges: Iterable[Edge]) -> Iterator[Edge]:
    """Yield the edges that are more than a name in a field, and were not given up."""
    broken = {(each.source, each.target) for each in plan.order.broken}
    return (each for each in edges if each.strength > Strength.REFERENCE and (each.source, each.target) not in broken)


def _needing(plan: Plan) -> dict[Ref, list[Ref]]:
    """Return object → the objects that cannot be without it."""
    found: dict[Ref, list[Ref]] = defaultdict(list)
    for each in _firm(plan, (edge for edges in plan.order.needs.values() for edge in edges)):
        found[each.target].append(each.source)
    kinds = plan.defined()
    for ref in plan.items:
        if ref.namespace:
            found[Ref(*NAMESPACE, "", ref.namespace)].append(ref)
        if definition := kinds.get((ref.group, ref.kind)):
            found[definition].append(ref)
    return found
