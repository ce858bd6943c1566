"""Cancel streams that other threads are reading: a watch may be silent for minutes and blocks its reader."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Cancellation:
    """A cancellation shared by many threads; any thread may set it, and it stays set."""

    def __init__(self, what: str = "") -> None:
        """Begin; `what` names in an error what was stopped."""
        self._what = what
        self._lock = Lock()
        self._set = False
        self._ends: dict[int, Callable[[], None]] = {}

    def is_set(self) -> bool:
        """Return whether it is set."""
        return self._set

    def check(self) -> None:
        """Return unless it is over.

        Raises:
            PermanentError: it is; a thread that is still at work ends by it.
        """
        if self._set:
            raise PermanentError(f"{self._what} was stopped")

    def set(self) -> None:
        """End every stream that is being read under it, now and later."""
        with self._lock:
            self._set = True
            for end in self._ends.values():
                _end(end)

    @contextmanager
    def ends(self, end: Callable[[], None]) -> Iterator[None]:
        """Register `end` for the `with` block: it is called as soon as this is set, at once if it is set already."""
        with self._lock:
            key = id(end)
            self._ends[key] = end
            if self._set:
                _end(end)
        try:
            yield
        finally:
            with self._lock:
                del self._ends[key]


def _end(end: Callable[[], None]) -> None:
    with suppress(OSError, RuntimeError, ValueError):  # the stream has ended by itself
        end()
