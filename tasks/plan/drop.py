"""Take out of a plan what is not restored: what is not asked for and not needed, and what its controller makes again.

It says of all others why they are in, and of what it takes out why not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.reasons import NOT_SELECTED, Reason, ReasonCode
from kubeferry.tasks.core.formats.records import LeftOut, Problem
from kubeferry.tasks.core.graph.closure import Inclusion, closure, missing, selected
from kubeferry.tasks.core.graph.order import Edge, Strength, Via
from kubeferry.tasks.core.kube.kinds import NAMESPACE
from kubeferry.tasks.core.needs.cluster_scoped import CRD
from kubeferry.tasks.core.needs.ownership import recreated_by
from kubeferry.tasks.plan.state import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.plan.choice import Choice
    from kubeferry.tasks.plan.state import Plan, Source

NOT_NEEDED = Reason(ReasonCode.NOT_NEEDED, detail="nothing of its kind is restored")


def drop_unchosen(source: Source, plan: Plan, choice: Choice, edges: list[Edge]) -> None:
    """Leave in the plan what is selected and what that needs; report what is needed and barred.

    Raises:
        UsageError: the selection matches nothing that could be restored.
    """
    implied, only = choice.implied, choice.selector.only
    makers = dict(_makers(source, plan))
    sure = [*_followed(edges, makers, choice), *implied.edges(), *choice.leads]
    needs = [*sure, *implied.by_default()]
    found = closure(
        _selected(source, plan, choice, needs),
        needs,
        plan.items.keys(),
        only=only,
        may=lambda ref: ref not in choice.barred,
        always=lambda ref: implied.always(ref) if ref in plan.items else (),
    )
    if choice.selector.narrow and not found.keys() & plan.items.keys():
        raise UsageError(choice.tally.nothing(choice.backup))
    plan.selection = choice.text()
    sure += _without(found, choice)
    plan.missing = missing(found.keys(), sure, choice.why_barred, only=only)
    plan.warnings = [Problem(what=what, why=why) for what, why in choice.unmatched()]
    _drop(plan, found, makers, choice.barred)


def _without(found: Mapping[Ref, Inclusion], choice: Choice) -> Iterator[Edge]:
    """Yield who is in without the definition of its kind, since that is excluded."""
    if any((ref.group, ref.kind) == CRD for ref in choice.barred):
        for ref in found:
            for target, why in choice.implied.always(ref):
                if target in choice.barred:
                    yield Edge(ref, target, Strength.EXPLICIT, why, Via.IMPLICIT)


def _drop(plan: Plan, found: Mapping[Ref, Inclusion], makers: Mapping[Ref, Ref], barred: Mapping[Ref, Reason]) -> None:
    for ref, item in list(plan.items.items()):
        item.why = found[ref].text if ref in found else ""
        maker = makers.get(ref)
        if item.why and not (maker and maker in found):
            continue
        left = item.why and maker
        why = Reason(ReasonCode.LEFT_TO_CONTROLLER, maker) if left else _why_not(ref, barred)
        del plan.items[ref]
        source = item.source
        plan.left_out.append(LeftOut.of(source, why))


def _why_not(ref: Ref, barred: Mapping[Ref, Reason]) -> Reason:
    return barred.get(ref) or (NOT_NEEDED if (ref.group, ref.kind) == CRD else NOT_SELECTED)


def _makers(source: Source, plan: Plan) -> Iterator[tuple[Ref, Ref]]:
    """Yield what a controller in the archive will make again, with that controller, whether either is restored or not.

    A controller that is itself left to another one counts too.
    """
    if source.options.owned == "keep":
        return
    kept = plan.rollouts.kept()
    for ref, item in plan.items.items():
        if ref in kept:
            continue
        maker = recreated_by(ref, item.links, plan.items.keys(), source.rules.makers)
        if maker:
            yield ref, maker


def _followed(edges: list[Edge], makers: Mapping[Ref, Ref], choice: Choice) -> Iterator[Edge]:
    """Yield the edges that count: what is left to its controller needs that one, and nothing else that it names."""
    for edge in edges:
        maker = makers.get(edge.source)
        if maker is None or maker in choice.barred or edge.target == maker:
            yield edge


def _selected(source: Source, plan: Plan, choice: Choice, needs: list[Edge]) -> Mapping[Ref, Inclusion]:
    """Return what is selected; of what is cluster-wide, only what the namespaces that are asked for need."""
    if source.company and source.company.whole:
        return selected(dict.fromkeys(plan.items, "what is migrated needs it"))
    if not choice.narrowed:
        return selected(choice.selected)
    items, spaces = plan.items, frozenset(source.options.map.get(each, each) for each in choice.spaces)
    inside = {
        ref: ""
        for ref, item in items.items()
        if (ref.namespace and not item.elsewhere) or (ref.group, ref.kind) == NAMESPACE
    }
    served = {ref: choice.outside.why(item.source) for ref, item in items.items() if ref not in inside}
    served = {
        ref: why for ref, why in served.items() if why and choice.outside.serving(items[ref].source, choice.spaces)
    }
    serving = served | dict.fromkeys(choice.implied.serving(spaces), "gives rights to accounts of the namespaces")
    around = closure(selected(inside | serving), needs, items.keys(), always=choice.implied.always)
    narrow = choice.selector.narrow
    return {
        ref: Inclusion(why) if ref in inside or narrow else around[ref]
        for ref, why in choice.selected.items()
        if ref in around
    }
