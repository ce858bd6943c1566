"""How many requests may be in flight at once to one API server: an adaptive limit that follows its responses.

The limit grows by one while latency stays low and the whole limit is in use. It shrinks a little if responses take
several times as long (more requests would only wait in a queue), and by half if the server reports overload (429, or
503). This is additive increase and multiplicative decrease, as in TCP (RFC 5681); as in TCP Vegas, latency is compared
with its best value, for each kind of request separately: a LIST takes longer than a GET.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

LEAST, MOST, FIRST = 4, 48, 16
"""Concurrent requests: minimum, maximum, initial."""

SLOW, FAST = 6.0, 3.0
"""Factors of the best latency: from the first on the limit shrinks, below the second it may grow."""

EASE, BACK = 0.9, 0.5
"""The share of the limit that remains if responses are slow, and if the server reports overload."""

SMOOTH = 0.2
"""Weight of the last response in the mean."""

FORGET = 1.01
"""Growth of the best latency with each response, so that an old fast response loses its effect."""

FLOOR = 0.002
"""Seconds: below, latency depends on this machine rather than on the server."""

REFUSALS = frozenset({429, 503})


@dataclass
class ConcurrencyLimit:
    """The limit of one API server. Not thread-safe: callers use a lock."""

    limit: float = FIRST
    slowness: float = 1.0
    """Mean of latency divided by best latency."""
    best: dict[Hashable, float] = field(default_factory=dict)
    _until: int = 0
    """Responses to wait for before the limit changes again: requests in flight were sent under the previous limit."""

    @property
    def room(self) -> int:
        """Return how many requests may be in flight at once."""
        return int(self.limit)

    def answered(self, what: Hashable, seconds: float, under_way: int, *, refused: bool = False) -> None:
        """Adjust the limit to a response to a request of the kind `what`, sent when `under_way` were in flight."""
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
