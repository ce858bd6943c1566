"""Progress of a running flow, reported to a listener in this process: the terminal, or none.

Steps report; they never print. Without a listener, as in a Prefect worker, a report costs one function call.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class Listener(Protocol):
    """Receives progress; may be called from any thread."""

    def step(self, name: str, done: int, total: int | None) -> None:
        """Step `name` (for example `fetch shop`) has done `done` of `total` units; None: the total is not known yet."""

    def note(self, text: str) -> None:
        """Receive one line for the user (what is awaited, what was retried)."""


class _Nobody:
    def step(self, name: str, done: int, total: int | None) -> None:
        """Ignore the report."""

    def note(self, text: str) -> None:
        """Ignore the line."""


_listener: ContextVar[Listener] = ContextVar("listener", default=_Nobody())  # noqa: B039 - it has no state


def listener() -> Listener:
    """Return the current listener, for one that wraps it."""
    return _listener.get()


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send all progress reported inside the `with` block, by its tasks and threads too, to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def step(name: str, done: int, total: int | None = None) -> None:
    """Report that step `name` has done `done` of `total` units."""
    _listener.get().step(name, done, total)


def note(text: str) -> None:
    """Report one line for the user."""
    _listener.get().note(text)
