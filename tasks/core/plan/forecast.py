"""What a restore would do with existing objects of the target, and what has changed some time later."""

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
"""What is done with an object that does not exist."""


@dataclass(frozen=True, slots=True)
class Met:
    """One object of the plan that exists already, with what would be done with it."""

    ref: Ref
    action: Action
    why: str
    uid: str
    """Uid of the object that would be changed; "" if it stays."""


def met(ref: Ref, uid: str, decision: Decision) -> Met:
    """Return the forecast for the object with `uid` that has the identity of `ref`."""
    return Met(ref, decision.action, decision.why, uid if decision.action in CHANGING else "")


@dataclass(frozen=True, slots=True)
class Forecast:
    """The existing objects, by identity, and every value that is not restored as it was backed up."""

    met: tuple[Met, ...]
    rewrites: tuple[Rewrite, ...]


def changes(shown: Forecast, now: Forecast) -> Iterator[str]:
    """Yield each difference between what was shown and what a restore would do now; for values only the places."""
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
    return f"was to be {_text(old)}, and would now be {_text(new)}"


def _text(each: Met | None) -> str:
    if each is None:
        return ABSENT
    return f"{each.action} ({each.why})" if each.why else each.action
