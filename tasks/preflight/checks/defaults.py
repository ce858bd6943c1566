"""Classes that come never become the default of a target that has one, nor do two of them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ForbiddenError
from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.transform.defaults import marks, path_of, without_mark

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.plan.state import Plan
    from kubeferry.tasks.preflight.target import Target

UNKNOWN = "which class is the target's default is not known, for lack of the right to list them"


def one_default(plan: Plan, target: Target) -> None:
    """Take the mark of a default from each class of the plan where another one has it; each is a loss of the plan."""
    by_kind: dict[tuple[str, str], dict[Ref, Object]] = defaultdict(dict)
    for ref in sorted(ref for ref in plan.items if not ref.namespace):
        body = plan.contents.read(plan.items[ref].slot)
        if marks(body):
            by_kind[ref.group, ref.kind][ref] = body
    for kind, bodies in by_kind.items():
        known, there = _defaults(target, kind)
        for ref, body in bodies.items():
            for mark in sorted(marks(body)):
                others = {name for name in there[mark] if name != ref.name}
                if known and not others:
                    there[mark].add(ref.name)  # of two that come, the first one
                else:
                    _give_up(plan, ref, body, mark, f"{ref.kind} {min(others)} is" if others else UNKNOWN)


def _defaults(target: Target, kind: tuple[str, str]) -> tuple[bool, defaultdict[tuple[str, ...], set[str]]]:
    """Return whether the target's classes are known, and the names of those that are the default, by of what."""
    there: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    found = target.discovery.by_kind(*kind)
    if found is None:
        return True, there
    try:
        objects = target.cluster().list(found)
    except ForbiddenError:
        return False, there
    for obj in objects:
        for mark in marks(obj):
            there[mark].add(obj["metadata"]["name"])
    return True, there


def _give_up(plan: Plan, ref: Ref, body: Object, mark: tuple[str, ...], why: str) -> None:
    plan.losses.append(Loss.of(ref, LossCode.DEFAULT_CLASS, why, path=path_of(body, mark)))
    plan.edit(plan.items[ref], lambda obj: without_mark(obj, mark))
