"""How many requests may be in flight at once to one API server: an adaptive limit that follows its responses.

More requests in flight are of use only while the server answers them as fast as before: beyond that they wait in its
queues, and so does everybody else's. The limit grows by one while responses take hardly longer than with next to
nothing in flight, and the whole limit is in use. It shrinks a little if they take longer, so that another client's
requests take about twice as long at most, and by half if the server reports overload (429, or 503). This is additive
increase and multiplicative decrease, as in TCP (RFC 5681), by latency as in TCP Vegas. What a response takes with next
to nothing in flight is measured now and then, with the limit at its least, as BBR does it (draft-ietf-ccwg-bbr,
ProbeRTT), for each kind of request separately: a LIST takes longer than a GET.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

CALM = 2
"""Concurrent requests while it is measured what a response takes with next to nothing in flight."""

LEAST, MOST, FIRST = 5, 48, 6
"""Concurrent requests otherwise: minimum, maximum, initial."""

SLOW, FAST = 1.9, 1.4
"""Factors of the calm latency: from the first on the limit shrinks, below the second it may grow."""

EASE, BACK = 0.9, 0.5
"""The share of the limit that remains if responses are slow, and if the server reports overload."""

SMOOTH = 0.1
"""Weight of the last response in a mean."""

SAMPLE, AGAIN = 6, 1000
"""Responses of one measurement of calm latencies, and from one to the next."""

FLOOR = 0.002
"""Seconds: below, latency depends on this machine rather than on the server."""

REFUSALS = frozenset({429, 503})


@dataclass
class ConcurrencyLimit:
    """The limit of one API server. Not thread-safe: callers use a lock."""

    limit: float = FIRST
    slowness: float = 1.0
    """Mean of latency divided by calm latency."""
    calm: dict[Hashable, float] = field(default_factory=dict)
    """Kind of request → mean latency in seconds with at most CALM in flight."""
    sample: int = SAMPLE
    """Responses that this measurement of calm latencies still needs; 0 between two of them."""
    _until: int = 0
    """Responses to wait for before the limit changes again: requests in flight were sent under the previous limit."""
    _answers: int = 0
    """Since the last measurement."""

    @property
    def room(self) -> int:
        """Return how many requests may be in flight at once."""
        return CALM if self.sample else int(self.limit)

    def answered(self, what: Hashable, seconds: float, under_way: int, *, refused: bool = False) -> None:
        """Adjust the limit to a response to a request of the kind `what`, sent when `under_way` were in flight."""
        self._until = max(0, self._until - 1)
        if refused:
            self._change(BACK)
            return
        took, in_use, measuring = max(seconds, FLOOR), under_way >= self.room, self.sample > 0
        if under_way <= CALM:
            before = self.calm.get(what, took)
            self.calm[what] = before + SMOOTH * (took - before)
            self.sample = max(0, self.sample - 1)
        self._measure_again(what)
        if measuring or self.sample:
            return
        self.slowness += SMOOTH * (took / self.calm[what] - self.slowness)
        if self.slowness > SLOW:
            self._change(EASE)
        elif self.slowness < FAST and in_use and not self._until:
            self.limit = min(MOST, self.limit + 1)
            self._until = self.room

    def _measure_again(self, what: Hashable) -> None:
        """Begin a measurement of calm latencies, where the last is long ago or there is none of this kind."""
        self._answers += 1
        if not self.sample and (self._answers >= AGAIN or what not in self.calm):
            self.sample, self._answers = SAMPLE, 0

    def _change(self, share: float) -> None:
        if not self._until:
            self._until = int(self.limit)
            self.limit = max(LEAST, self.limit * share)
