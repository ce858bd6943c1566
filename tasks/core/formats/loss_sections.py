"""Losses as people read them: in sections of their own where there may be many of a kind, with a limit an object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.losses import LossCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kubeferry.tasks.core.formats.losses import Loss

NOT_AS_IT_WAS = "Not as it was"

SECTIONS = {
    LossCode.AT_REST: "At rest",
    LossCode.BESIDE_ORIGINAL: "Beside the original",
    LossCode.STILL_NAMES: "Still names the old namespace, left",
}
"""Code → the title of its section; all others are under `NOT_AS_IT_WAS`."""

EACH = 5
"""Most lines of one object in a section of `SECTIONS`; documents (`-o json`) have all of them."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a section."""

    place: str
    """The object, with the path of the field if the line is about one."""
    why: str


def sections(losses: Iterable[Loss]) -> Iterator[tuple[str, list[Line]]]:
    """Yield each section that has lines, in the order in which the losses are given: title and lines."""
    found: dict[str, list[Loss]] = {title: [] for title in (NOT_AS_IT_WAS, *SECTIONS.values())}
    titles = {code.value: title for code, title in SECTIONS.items()}
    for each in losses:
        found[titles.get(each.code, NOT_AS_IT_WAS)].append(each)
    for title, some in found.items():
        if some:
            yield title, [*_limited(some)] if title in SECTIONS.values() else [*map(_line, some)]


def _limited(losses: Sequence[Loss]) -> Iterator[Line]:
    of: dict[str, list[Loss]] = {}
    for each in losses:
        of.setdefault(each.object, []).append(each)
    for what, some in of.items():
        yield from map(_line, some[:EACH])
        if len(some) > EACH:
            yield Line(what, f"{len(some) - EACH} more places: see -o json")


def _line(loss: Loss) -> Line:
    return Line(loss.place, loss.why)
