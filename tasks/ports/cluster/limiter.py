"""Limit the concurrent requests to one API server, over all threads, by an adaptive concurrency limit."""

from __future__ import annotations

import time
from contextlib import contextmanager
from threading import Condition
from typing import TYPE_CHECKING

from kubeferry.tasks.core.ops.concurrency import ConcurrencyLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Limiter:
    """A semaphore whose size changes; all threads that use one API server share it."""

    def __init__(self, pace: ConcurrencyLimit | None = None) -> None:
        """Start without requests in flight."""
        self.pace = pace or ConcurrencyLimit()
        self.under_way = self._waiting = 0
        self._condition = Condition()

    @contextmanager
    def through(self, what: str) -> Iterator[Callable[[], None]]:
        """Wait for a slot and hold it for the `with` block; call the yielded function if the server throttled.

        A block that raises reports only the throttling: without an answer there is no response time to learn from.
        """
        with self._condition:
            if self.under_way >= self.pace.room:
                self._waiting += 1
                self._condition.wait_for(lambda: self.under_way < self.pace.room)
                self._waiting -= 1
            self.under_way += 1
        began, refused = time.monotonic(), False

        def refuse() -> None:
            nonlocal refused
            refused = True

        whole = False
        try:
            yield refuse
            whole = True
        finally:
            with self._condition:
                if whole or refused:
                    self.pace.answered(what, time.monotonic() - began, self.under_way, refused=refused)
                self.under_way -= 1
                if self._waiting:  # no more than there is room for: each wake-up takes time from the requests
                    self._condition.notify(max(0, self.pace.room - self.under_way))
