"""What a plan gives to others: found without a cluster, for the plan; decided when the target is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.models.options import Subjects
from kubeferry.tasks.core.needs.grants import (
    CLUSTER_BINDING,
    TOLD,
    Restored,
    foreign_subjects,
    subject_text,
    told,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.plan.state import Item, Plan, Source

EITHER = "is left out on another cluster and under a new name (--subjects all keeps it)"
LEFT = "is left out, as it is not restored (--subjects all keeps it)"
STAYS = "gets its rights"


def restored_by(source: Source, plan: Plan) -> Restored:
    """Return what a plan restores, with what other restores of the same migration do."""
    others = frozenset(source.company.names.values()) if source.company else frozenset[str]()
    return Restored(plan.items.keys(), frozenset(plan.spaces().values()) | others, others)


def find_grants(source: Source, plan: Plan) -> None:
    """Note in a plan what it gives to others, before the target is known."""
    plan.grants = list(_grants(source, plan, STAYS if source.options.subjects is Subjects.ALL else EITHER))


def limit_subjects(source: Source, plan: Plan, *, same: bool) -> None:
    """Take the subjects that are not restored from ClusterRoleBindings; note in the plan what it gives to others.

    On the `same` cluster, a binding that keeps its name keeps its subjects. It may be called again.
    """
    restored, noted = restored_by(source, plan), list[Problem]()
    for item in _bindings(plan):
        stays = source.options.subjects is Subjects.ALL or (same and item.ref == item.source)
        body = plan.contents.read(item.slot)
        foreign = foreign_subjects(body, restored)
        noted += [_problem(item, each, STAYS if stays else LEFT) for each in map(subject_text, foreign)]
        if foreign and not stays:
            item.slot = plan.contents.append(orjson.dumps(without(body, foreign)))
            if item.whole is not None:
                item.whole = plan.contents.append(orjson.dumps(without(plan.contents.read(item.whole), foreign)))
    if not plan.limited:
        plan.grants, plan.limited = [*noted, *_told(plan, restored)], True


def _grants(source: Source, plan: Plan, what: str) -> Iterator[Problem]:
    restored = restored_by(source, plan)
    for item in _bindings(plan):
        foreign = foreign_subjects(plan.contents.read(item.slot), restored)
        yield from (_problem(item, each, what) for each in map(subject_text, foreign))
    yield from _told(plan, restored)


def _told(plan: Plan, restored: Restored) -> Iterator[Problem]:
    for ref, item in sorted(plan.items.items()):
        if (ref.group, ref.kind) in TOLD:
            for each in told(plan.contents.read(item.slot), restored):
                yield Problem(what=str(ref), why=each)


def _bindings(plan: Plan) -> list[Item]:
    return [item for ref, item in sorted(plan.items.items()) if (ref.group, ref.kind) == CLUSTER_BINDING]


def _problem(item: Item, who: str, what: str) -> Problem:
    return Problem(what=str(item.ref), why=f"{who} {what}")
