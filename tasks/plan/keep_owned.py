"""What controllers would make again and is restored all the same, in the way in which they take it up.

That is all of it with `--owned keep`; else claims that a StatefulSet owns, and the revisions of a rollout that was
under way (core/needs/rollouts.py).

Pods are never among it: what controls them re-creates them from its template, under other names and addresses, and
a Pod holds nothing else that a backup has. The report says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.formats.reasons import Reason, ReasonCode
from kubeferry.tasks.core.formats.records import LeftOut
from kubeferry.tasks.core.models.options import Owned
from kubeferry.tasks.core.needs.ownership import ADOPTED, SCHEDULED, dormant, recreated_by, set_of, turned
from kubeferry.tasks.core.needs.rollouts import older_body
from kubeferry.tasks.core.plan.existing import merge_patch_of
from kubeferry.tasks.core.plugins.registry import Paused, inverse, merged
from kubeferry.tasks.plan.state import Plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kubeferry.tasks.core.graph.order import Edge
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.plan.state import Plan, Source

SUSPENDED = {"spec": {"suspend": True}}
LAST = 1_000_000
"""The turn of CronJobs and of rollouts: they go on when everything else does."""


def keep_owned(source: Source, plan: Plan, edges: Iterable[Edge]) -> list[Edge]:
    """Fill in a plan what comes before its owner, or is waited for by it; return the edges that say so."""
    all_of_them = source.options.owned is Owned.KEEP
    kept = _controlled(plan, ADOPTED) if all_of_them else plan.rollouts.kept().items()
    plan.adopters = {ref: owner for ref, owner in kept if ref in plan.items and owner in plan.items}
    for ref in [ref for ref, owner in plan.adopters.items() if _knows(plan, ref, owner)]:
        _leave(plan, ref, plan.adopters.pop(ref))
    plan.older = {ref: old for ref, old in plan.rollouts.older().items() if plan.adopters.get(old) == ref}
    idle = {ref for ref in plan.adopters if dormant(plan.contents.read(plan.items[ref].slot))} - {*plan.older.values()}
    plan.wants = {wanted: rest for wanted, users in plan.wants.items() if (rest := users - idle)}
    plan.adopters |= _claims(plan)
    if all_of_them:
        for job, owner in _controlled(plan, SCHEDULED):
            plan.scheduled.setdefault(owner, []).append(job)
        plan.left_out += _remade(source, plan)
    return list(turned(edges, plan.adopters))


def _claims(plan: Plan) -> dict[Ref, Ref]:
    """Return the claims that come before the StatefulSet that owns them."""
    found = ((ref, set_of(ref, item.links)) for ref, item in plan.items.items())
    return {ref: owner for ref, owner in found if owner in plan.items and not _knows(plan, ref, owner)}


def report_rollouts(plan: Plan) -> None:
    """Note in a plan what of a workload's progress does not come back."""
    running = {owner for ref, owner in plan.adopters.items() if ref.kind == "ReplicaSet"}
    for ref in sorted(plan.rollouts.idle() - running):
        if ref in plan.items:
            plan.losses.append(Loss.of(ref, LossCode.NO_PODS, "it is paused, and its ReplicaSet is not restored"))
    for ref in sorted(plan.rollouts.behind().keys() - plan.older.keys()):
        if ref in plan.items:
            plan.losses.append(Loss.of(ref, LossCode.NEW_REVISION, "its older ControllerRevision is not restored"))
    for ref, item in plan.items.items():
        if (ref.group, ref.kind) == ("batch", "Job") and item.links.progress:
            plan.losses.append(Loss.of(ref, LossCode.BEGINS_AGAIN, item.links.progress))


def _controlled(plan: Plan, makers: Mapping[tuple[str, str], frozenset[tuple[str, str]]]) -> Iterator[tuple[Ref, Ref]]:
    for ref, item in plan.items.items():
        owner = recreated_by(ref, item.links, plan.items.keys(), lambda kind: makers.get(kind, frozenset()))
        if owner:
            yield ref, owner


def _knows(plan: Plan, ref: Ref, owner: Ref) -> bool:
    """Return whether an object holds what its controller is given only when it is there: it cannot come before it."""
    return any(owner in each.needs for each in plan.items[ref].bindings)


def _leave(plan: Plan, ref: Ref, owner: Ref) -> None:
    source = plan.items.pop(ref).source
    why = Reason(ReasonCode.LEFT_TO_CONTROLLER, owner, ", whose uid or address it holds")
    plan.left_out.append(LeftOut.of(source, why))


def _remade(source: Source, plan: Plan) -> Iterator[LeftOut]:
    """Yield what the backup left to its controllers."""
    manifest, spaces = source.backup.manifest, {item.source.namespace for item in plan.items.values()}
    for each in manifest.left_out if manifest else ():
        if each.code == ReasonCode.LEFT_TO_CONTROLLER and each.namespace in spaces:
            yield each.model_copy(update={"why": f"{each.why}, which re-creates it"})


def paused(source: Source, plan: Plan, ref: Ref, obj: Object) -> Paused | None:
    """Return how an object is created while its reconciler must leave it alone; None where it need not be."""
    if ref in plan.older:
        begun = older_body(obj, plan.contents.read(plan.items[plan.older[ref]].slot))
        return Paused(begun, merge_patch_of(begun, obj), LAST)
    if ref in plan.scheduled:
        return Paused(merged(obj, SUSPENDED), inverse(obj, SUSPENDED), LAST)
    return source.rules.paused(obj)
