"""How far a running flow has come, told to whoever listens in this process: the terminal, or nobody.

Steps report; they never print. Without a listener a report costs a function call, so workers pay nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class Listener(Protocol):
    """Hears of progress; may be called from any thread."""

    def step(self, name: str, done: int, total: int | None) -> None:
        """Step `name` (for example `fetch shop`) has done `done` of `total` units; None is a total not yet known."""

    def note(self, text: str) -> None:
        """Tell one line that a person wants to see while waiting (what is waited for, what was retried)."""


class _Nobody:
    def step(self, name: str, done: int, total: int | None) -> None:
        """Ignore the report."""

    def note(self, text: str) -> None:
        """Ignore the line."""


_listener: ContextVar[Listener] = ContextVar("listener", default=_Nobody())  # noqa: B039 - it has no state


def listener() -> Listener:
    """Return who listens now, for one that stands in between."""
    return _listener.get()


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send all progress reported inside the `with` block (its tasks and threads too) to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def step(name: str, done: int, total: int | None = None) -> None:
    """Report that step `name` has done `done` of `total` units."""
    _listener.get().step(name, done, total)


def note(text: str) -> None:
    """Report one line for a person."""
    _listener.get().note(text)
