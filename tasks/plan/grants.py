"""What a plan gives to others: found without a cluster, for the plan; decided when the target is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.models.options import Subjects
from kubeferry.tasks.core.needs.grants import (
    BINDING,
    CLUSTER_BINDING,
    TOLD,
    Restored,
    foreign_subjects,
    subject_text,
    told,
    without,
)

if TYPE_CHECKING:
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.plan.state import Plan, Source
    from kubeferry.tasks.ports.archive.spool import Slot

EITHER = "is left out on another cluster and under a new name (--subjects all keeps it)"
LEFT = "is left out, as it is not restored (--subjects all keeps it)"
STAYS = "gets its rights"
THERE = "gives rights in namespace {}, which is not restored"


def restored_by(source: Source, plan: Plan) -> Restored:
    """Return what a plan restores, with what other restores of the same migration do."""
    others = frozenset(source.company.names.values()) if source.company else frozenset[str]()
    return Restored(plan.items.keys(), frozenset(plan.spaces().values()) | others, others)


def find_grants(source: Source, plan: Plan) -> None:
    """Note in a plan what it gives to others: which subjects stay is open until the target is known."""
    restored = restored_by(source, plan)
    for ref, item in sorted(plan.items.items()):
        kind = (ref.group, ref.kind)
        if item.elsewhere and kind == BINDING:
            plan.grants.append(Problem(what=str(ref), why=THERE.format(ref.namespace)))
        limited = kind == CLUSTER_BINDING or (kind == BINDING and item.elsewhere)
        if limited and (foreign := foreign_subjects(plan.contents.read(item.slot), restored)):
            plan.foreign[ref] = foreign
        elif kind in TOLD and not limited:
            plan.grants += [Problem(what=str(ref), why=each) for each in told(plan.contents.read(item.slot), restored)]


def open_grants(source: Source, plan: Plan) -> list[Problem]:
    """Return what is given to others by a plan whose target is not known."""
    what = STAYS if source.options.subjects is Subjects.ALL else EITHER
    return [*(line for ref, foreign in plan.foreign.items() for line in _lines(ref, foreign, what)), *plan.grants]


def limit_subjects(source: Source, plan: Plan, *, same: bool) -> None:
    """Take the subjects that are not restored from ClusterRoleBindings, and note that in the plan.

    On the `same` cluster, a binding that keeps its name keeps its subjects. What is decided stays so.
    """
    noted = list[Problem]()
    for ref, foreign in plan.foreign.items():
        item = plan.items[ref]
        stays = source.options.subjects is Subjects.ALL or (same and ref == item.source)
        noted += _lines(ref, foreign, STAYS if stays else LEFT)
        if not stays:
            item.slot = _shortened(plan, item.slot, foreign)
            item.whole = item.whole and _shortened(plan, item.whole, foreign)
    plan.grants, plan.foreign = [*noted, *plan.grants], {}


def _shortened(plan: Plan, slot: Slot, foreign: list[Any]) -> Slot:
    return plan.contents.append(orjson.dumps(without(plan.contents.read(slot), foreign)))


def _lines(ref: Ref, foreign: list[Any], what: str) -> list[Problem]:
    return [Problem(what=str(ref), why=f"{subject_text(each)} {what}") for each in foreign]
