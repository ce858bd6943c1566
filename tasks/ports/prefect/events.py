"""The events by which a flow tells Prefect's server of its task runs, given up when the server is away for good.

Prefect 3.8.8 sends what is left of them when its process ends. With no server that costs 7 s for each event, three to
a task run (prefect/events/clients.py): the end of a long restore would not come for hours. A client of our own in the
place of Prefect's is no way: Prefect emits nothing by a class that it does not know (prefect/events/utilities.py).
"""

from __future__ import annotations

from threading import Event as Flag
from typing import TYPE_CHECKING

from prefect.events.worker import EventsWorker

if TYPE_CHECKING:
    from prefect.events import Event

_unheard = Flag()
_prefects_own = EventsWorker._handle  # noqa: SLF001 - what is lent below


async def _handle(self: EventsWorker, event: Event) -> None:
    if not _unheard.is_set():
        await _prefects_own(self, event)


def use() -> None:
    """Have this process send its events until they are given up."""
    _unheard.clear()
    EventsWorker._handle = _handle  # type: ignore[method-assign]  # noqa: SLF001


def give_up() -> None:
    """Send no event more, also of those that wait: one that is just being tried is the last."""
    _unheard.set()
