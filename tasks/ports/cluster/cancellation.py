"""End what other threads are reading, at once: a watch says nothing for minutes, and blocks who reads it."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Cancellation:
    """Something that many threads wait under, and any of them may end for all; once set, it stays so."""

    def __init__(self, what: str = "") -> None:
        """Begin; `what` names in an error what was stopped."""
        self._what = what
        self._lock = Lock()
        self._set = False
        self._ends: dict[int, Callable[[], None]] = {}

    def is_set(self) -> bool:
        """Tell whether it is over."""
        return self._set

    def check(self) -> None:
        """Return unless it is over.

        Raises:
            PermanentError: it is; a thread that is still at work ends by it.
        """
        if self._set:
            raise PermanentError(f"{self._what} was stopped")

    def set(self) -> None:
        """End every stream that is being read under it, and those to come."""
        with self._lock:
            self._set = True
            for end in self._ends.values():
                _end(end)

    @contextmanager
    def ends(self, end: Callable[[], None]) -> Iterator[None]:
        """Call `end` from another thread when it is set while the `with` block is at work, or was before."""
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
    with suppress(OSError, RuntimeError, ValueError):  # the stream came to its own end meanwhile
        end()
