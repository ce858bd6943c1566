"""How many requests may be under way at once to one API server: a rule that learns it from the answers.

It grows by one as long as answers come about as fast as they did, and all that it allows was used; it shrinks a little
when they take several times as long (what is more then only waits in a queue), and by half when the server says that it
is too much (429, or 503). Additive increase, multiplicative decrease, as TCP does it (RFC 5681); the latency is
compared as TCP Vegas does, with what it was at best, for each kind of request apart: a LIST takes longer than a GET.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

LEAST, MOST, FIRST = 4, 48, 16
"""Requests at once: at least, at most, in the beginning."""

SLOW, FAST = 6.0, 3.0
"""Times the best latency: from the first one on it shrinks, below the second one it may grow."""

EASE, BACK = 0.9, 0.5
"""What is left of the limit when answers are slow, and when the server says that it is too much."""

SMOOTH = 0.2
"""Weight of the last answer in the mean."""

FORGET = 1.01
"""The best latency grows by this with each answer, so that a fast answer of long ago counts no more."""

FLOOR = 0.002
"""Seconds: below, latency says more of this machine than of the server."""

REFUSALS = frozenset({429, 503})


@dataclass
class ConcurrencyLimit:
    """The limit of one API server. Not safe for threads: who uses it sees to that."""

    limit: float = FIRST
    slowness: float = 1.0
    """Mean of latency by best latency."""
    best: dict[Hashable, float] = field(default_factory=dict)
    _until: int = 0
    """Answers to come before the limit changes again: those under way were sent under the former one."""

    @property
    def room(self) -> int:
        """Return how many requests may be under way at once."""
        return int(self.limit)

    def answered(self, what: Hashable, seconds: float, under_way: int, *, refused: bool = False) -> None:
        """Learn from an answer to a request of the kind `what`, of which `under_way` were sent at once."""
        self._until = max(0, self._until - 1)
        if refused:
            self._change(BACK)
            return
        took = max(seconds, FLOOR)
        self.best[what] = best = min(took, self.best.get(what, took) * FORGET)
        self.slowness += SMOOTH * (took / best - self.slowness)
        if self.slowness > SLOW:
            self._change(EASE)
        elif self.slowness < FAST and under_way >= self.room and not self._until:
            self.limit = min(MOST, self.limit + 1)
            self._until = self.room

    def _change(self, share: float) -> None:
        if not self._until:
            self._until = self.room
            self.limit = max(LEAST, self.limit * share)
