"""Let as many requests through at once as the pace of one API server allows, whoever sends them."""

from __future__ import annotations

import time
from contextlib import contextmanager
from threading import Condition
from typing import TYPE_CHECKING

from kubeferry.tasks.core.ops.concurrency import ConcurrencyLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Limiter:
    """A semaphore whose room changes; used by all threads that ask one API server."""

    def __init__(self, pace: ConcurrencyLimit | None = None) -> None:
        """Begin with nothing under way."""
        self.pace = pace or ConcurrencyLimit()
        self.under_way = 0
        self._turn = Condition()

    @contextmanager
    def through(self, what: str) -> Iterator[Callable[[], None]]:
        """Wait for room, then hold it for the `with` block; what it yields tells that the server refused for a while.

        A block that raises teaches nothing but that: no answer says nothing about how long answers take.
        """
        with self._turn:
            self._turn.wait_for(lambda: self.under_way < self.pace.room)
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
            with self._turn:
                if whole or refused:
                    self.pace.answered(what, time.monotonic() - began, self.under_way, refused=refused)
                self.under_way -= 1
                self._turn.notify_all()
