"""Whether two clocks agree: this machine's, and that of a server or of a store.

A server shows its clock by the Date header of an answer (RFC 9110, 6.6.1), which has whole seconds.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import StoreError

if TYPE_CHECKING:
    from datetime import datetime

LIMIT = timedelta(minutes=5)
"""Difference above which nothing is removed by age: what is expired by one clock is not by the other."""


def parsed(date: str) -> datetime | None:
    """Return the time of a Date header, None if there is none or it cannot be read."""
    try:
        found = parsedate_to_datetime(date)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)  # it is GMT; `-0000` is parsed as no zone


def difference(theirs: datetime, before: datetime, after: datetime) -> float:
    """Return the seconds by which another clock is ahead of this machine's, less than 0 if it is behind.

    `theirs` is from an answer to a request between the two local times: what may be due to that is no difference.
    """
    ahead = (theirs - after).total_seconds()
    behind = (before - theirs).total_seconds() - 1  # whole seconds: it may be up to one second behind
    if ahead > 0:
        return ahead
    return -behind if behind > 0 else 0


def check(store: str, theirs: datetime | None, before: datetime, after: datetime) -> None:
    """Return if a store's clock agrees with this machine's, or if it shows none.

    Raises:
        StoreError: they differ by more than LIMIT.
    """
    if theirs and abs(difference(theirs, before, after)) > LIMIT.total_seconds():
        raise StoreError(
            f"store {store}: its clock says {theirs:%Y-%m-%d %H:%M:%S} UTC and this machine's "
            f"{after:%Y-%m-%d %H:%M:%S} UTC: nothing is removed by age until they agree (timedatectl status)"
        )
