"""The events by which a flow tells Prefect's server of its task runs, given up when the server is away for good.

Prefect 3.8.8 sends what is left of them when its process ends. With no server that costs 7 s for each event, three to
a task run (prefect/events/clients.py): the end of a long restore would not come for hours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from prefect.events.clients import PrefectEventsClient
from prefect.events.worker import EventsWorker, emit_events_to_cloud

if TYPE_CHECKING:
    from prefect.events import Event


class Events(PrefectEventsClient):
    """Prefect's own client, until nobody listens any more."""

    unheard: ClassVar[bool] = False

    async def _emit(self, event: Event) -> None:
        if not self.unheard:
            await super()._emit(event)


def use() -> None:
    """Have this process send its events so; Prefect Cloud, which has another client, keeps that."""
    Events.unheard = False
    if not emit_events_to_cloud():
        EventsWorker.set_client_override(Events)


def give_up() -> None:
    """Send no event more, also of those that wait: one that is just being tried is the last."""
    Events.unheard = True
