"""Drop the events of task runs when Prefect's server has gone away, so that the process can end.

Prefect 3.8.8 sends its remaining events when its process ends. Without a server that takes 7 s for each event, of which
a task run has three (prefect/events/clients.py): a long restore would not end for hours. Replacing Prefect's client is
not possible: Prefect emits nothing through a class that it does not know (prefect/events/utilities.py).
"""

from __future__ import annotations

from threading import Event as Flag
from typing import TYPE_CHECKING

from prefect.events.worker import EventsWorker

if TYPE_CHECKING:
    from prefect.events import Event

_unheard = Flag()
_prefects_own = EventsWorker._handle  # noqa: SLF001 - wrapped below


async def _handle(self: EventsWorker, event: Event) -> None:
    if not _unheard.is_set():
        await _prefects_own(self, event)


def use() -> None:
    """Send the events of this process, until `give_up` is called."""
    _unheard.clear()
    EventsWorker._handle = _handle  # type: ignore[method-assign]  # noqa: SLF001


def give_up() -> None:
    """Send no more events, queued ones included; the one that is being sent is the last."""
    _unheard.set()
