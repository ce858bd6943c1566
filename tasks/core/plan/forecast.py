"""What a restore would do with what the target has already, and whether that is still so some time later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.records import CHANGING, Action

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.formats.records import Rewrite
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.plan.existing import Decision

ABSENT = Action.CREATED
"""What is done with an object that is not there."""


@dataclass(frozen=True, slots=True)
class Met:
    """One object of the plan that is there already, with what would be done about it."""

    ref: Ref
    action: Action
    why: str
    uid: str
    """Of the object that would be changed; "" where it stays."""


def met(ref: Ref, uid: str, decision: Decision) -> Met:
    """Return what is told of the object with `uid` that stands where `ref` is to be restored."""
    return Met(ref, decision.action, decision.why, uid if decision.action in CHANGING else "")


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is there already, by identity, and every value that is not restored as it was backed up."""

    met: tuple[Met, ...]
    rewrites: tuple[Rewrite, ...]


def changes(shown: Forecast, now: Forecast) -> Iterator[str]:
    """Tell in which a restore would do something else than what was shown, a line each; of values only the places."""
    before, after = ({each.ref: each for each in forecast.met} for forecast in (shown, now))
    for ref in sorted(before.keys() | after.keys()):
        old, new = before.get(ref), after.get(ref)
        if old != new:
            yield f"{ref} {_change(old, new)}"
    known = set(shown.rewrites)
    for each in now.rewrites:
        if each not in known:
            yield f"{each.object} {each.path} would be rewritten too ({each.why})"


def _change(old: Met | None, new: Met | None) -> str:
    if old and new and old.uid != new.uid and (old.action, old.why) == (new.action, new.why):
        return f"would be {new.action}, but it is another object now"
    return f"was to be {_told(old)}, and would now be {_told(new)}"


def _told(each: Met | None) -> str:
    if each is None:
        return ABSENT
    return f"{each.action} ({each.why})" if each.why else each.action
