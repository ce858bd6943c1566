"""How many requests at once, before a model of an API server that others use, too.

The model knows nothing of the rule: so many cores, which serve what arrives in turn, a distance, sixteen threads that
send the next request as soon as there is room, and a second client that asks now and then.
"""

import heapq
import itertools
import random
import statistics
from collections import deque
from dataclasses import dataclass

import pytest

from kubeferry.tasks.core.ops.concurrency import ConcurrencyLimit

SECONDS = 12.0
PAUSE = 0.02
"""Seconds between two requests of the second client."""


@dataclass
class Server:
    """An API server, and how far it is away."""

    cores: int
    service: float
    """Seconds of a core for a request, on average."""
    away: float = 0.0
    """Seconds on the way there and back, for our requests."""
    spread: float = 0.5
    """Share of the service time that is random (exponential)."""
    threads: int = 16


@dataclass
class Fixed:
    """No rule: always so many."""

    room: int

    def answered(self, *_):
        """Learn nothing."""


class Model:
    """What happens to the requests of both, in the order of time."""

    def __init__(self, server, pace):
        self.server, self.pace, self.rng = server, pace, random.Random(20)  # noqa: S311 - no secret is made of it
        self.events, self.order, self.queue = [], itertools.count(), deque()
        self.busy = self.under_way = self.done = 0
        self.now, self.latencies = 0.0, []

    def run(self):
        """Return our requests a second, and the second client's p99 in seconds."""
        self.send()
        self.after(PAUSE, self.ask)
        while self.events[0][0] < SECONDS:
            self.now, _, event, arguments = heapq.heappop(self.events)
            event(*arguments)
        return self.done / SECONDS, statistics.quantiles(self.latencies, n=100)[98]

    def after(self, seconds, event, *arguments):
        heapq.heappush(self.events, (self.now + seconds, next(self.order), event, arguments))

    def ask(self):
        self.serve(self.heard, self.now)

    def heard(self, began):
        self.latencies.append(self.now - began)
        self.after(PAUSE, self.ask)

    def send(self):
        while self.under_way < min(self.pace.room, self.server.threads):
            self.under_way += 1
            self.after(self.server.away / 2, self.serve, self.back, self.now)

    def back(self, began):
        self.after(self.server.away / 2, self.answered, began)

    def answered(self, began):
        self.pace.answered("POST ", self.now - began, self.under_way)
        self.under_way, self.done = self.under_way - 1, self.done + 1
        self.send()

    def serve(self, then, began):
        """Give a request a core, or a place in the queue for one."""
        if self.busy == self.server.cores:
            self.queue.append((then, began))
            return
        self.busy += 1
        share = 1 - self.server.spread + self.server.spread * self.rng.expovariate(1)
        self.after(self.server.service * share, self.served, then, began)

    def served(self, then, began):
        self.busy -= 1
        then(began)
        if self.queue:
            self.serve(*self.queue.popleft())


def run(server, pace):
    """Return our requests a second, and the second client's p99 in seconds."""
    return Model(server, pace).run()


SERVERS = {
    "two cores": Server(2, 0.002),
    "two cores, uneven": Server(2, 0.002, spread=1.0),
    "eight cores": Server(8, 0.01),
    "far away": Server(2, 0.002, away=0.02),
    "large": Server(16, 0.005, away=0.005, threads=48),
}


@pytest.mark.parametrize("name", SERVERS)
def test_it_does_as_much_as_sixteen_threads_and_the_second_clients_p99_at_most_doubles(name):
    server = SERVERS[name]
    _, alone = run(server, Fixed(0))
    most, _ = run(server, Fixed(server.threads))
    rate, beside = run(server, ConcurrencyLimit())
    assert beside < 2 * alone
    assert rate > 0.85 * most


def test_the_model_shows_what_sixteen_threads_do_to_others():
    server = SERVERS["two cores"]
    assert run(server, Fixed(16))[1] > 3 * run(server, Fixed(0))[1]
