"""Take out of a plan what the target refuses, with all that needs it: the rest is restored (--on-failure continue)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.graph.order import Strength
from kubeferry.tasks.core.kube.kinds import NAMESPACE
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.resources import defined

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

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


def needs(plan: Plan, ref: Ref) -> list[Ref]:
    """Return what an object cannot be without, or not get ready without, in order."""
    broken = {each.target for each in plan.order.broken if each.source == ref}
    edges = plan.order.needs.get(ref, ())
    return sorted({each.target for each in edges if each.strength > Strength.REFERENCE and each.target not in broken})


def _needing(plan: Plan) -> dict[Ref, list[Ref]]:
    """Return object → the objects that cannot be without it."""
    found: dict[Ref, list[Ref]] = defaultdict(list)
    broken = {(each.source, each.target) for each in plan.order.broken}
    for ref, edges in plan.order.needs.items():
        for each in edges:
            if each.strength > Strength.REFERENCE and (ref, each.target) not in broken:
                found[each.target].append(ref)
    kinds = {}
    for ref in plan.definitions:
        kind = defined(plan.contents.read(plan.items[ref].slot))
        kinds[kind.group, kind.kind] = ref
    for ref in plan.items:
        if ref.namespace:
            found[Ref(*NAMESPACE, "", ref.namespace)].append(ref)
        if definition := kinds.get((ref.group, ref.kind)):
            found[definition].append(ref)
    return found
