"""Let restores into one cluster come one after the other, where Prefect starts them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kubeferry.tasks.ports.prefect.runs import deployed, turn
from kubeferry.tasks.step import tell

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kubeferry.tasks.plan.state import Restoring


@asynccontextmanager
async def take_turn(restoring: Restoring) -> AsyncIterator[None]:
    """Wait until no other restore of a deployment works in the target cluster, and keep others waiting meanwhile.

    A person at a terminal does not wait: two restores into one namespace are kept apart by its lease. Neither does one
    that is to be approved, which could keep others waiting for hours.
    """
    if not deployed() or restoring.options.approve:
        yield
        return
    where = urlsplit(restoring.target().host).netloc
    name = f"kubeferry restore into {where}"
    async with turn(name, lambda: tell(f"waits for its turn: another restore is at work in {where} (limit {name!r})")):
        yield
