"""Durations as users write them: `30d`, `12h`, `2w`, `6mo`, `1y6mo`; also `720h0m0s`, as in Velero.

Years and months are calendar years and months, as in restic. A bare `m` is refused as ambiguous: it means months in
restic and minutes in Go and Velero, and the wrong guess could delete backups.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from kubeferry.tasks.core.errors import UsageError

PATTERN = (
    "(?:([0-9]{1,3})y)?(?:([0-9]{1,4})mo)?(?:([0-9]{1,4})w)?(?:([0-9]{1,5})d)?"
    "(?:([0-9]{1,6})h(?:([0-9]{1,4})m(?:([0-9]{1,4})s)?)?)?"
)
"""After hours, `m` can only mean minutes (Go's format of a duration)."""

OPTIONAL = rf"^{PATTERN}$"
"""The pattern of an optional parameter; Prefect's UI checks it in the form, too."""

_SPAN = re.compile(PATTERN)

EARLIEST, LATEST = 1000, 8000
"""Years to which calendar arithmetic is limited."""


@dataclass(frozen=True, slots=True)
class Span:
    """A duration: calendar months, and the rest."""

    months: int
    rest: timedelta

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a duration.

        Raises:
            UsageError: it is not a duration, or empty.
        """
        found = _SPAN.fullmatch(text)
        if not text or not found:
            raise UsageError(f"{text[:80]!r} is not a duration: write 30d, 12h, 2w, 6mo or 1y (m is ambiguous)")
        years, months, weeks, days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
        rest = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
        return cls(12 * years + months, rest)

    def before(self, moment: datetime) -> datetime:
        """Return the time this long before `moment`."""
        return _shifted(moment, -self.months) - self.rest

    def after(self, moment: datetime) -> datetime:
        """Return the time this long after `moment`."""
        return _shifted(moment, self.months) + self.rest


UNTIL = rf"{OPTIONAL}|^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(T[0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}})?Z)?$"
"""The pattern of an optional duration or time."""


def until(text: str, start: datetime) -> datetime:
    """Return a time: a duration after `start`, a day (its beginning) or a time, in UTC.

    Raises:
        UsageError: it is none of them.
    """
    if not re.match("[0-9]{4}-", text):
        return Span.parse(text).after(start)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text[:80]!r} is no time: write 2027-01-31, 2027-01-31T12:00Z or a duration") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _shifted(moment: datetime, months: int) -> datetime:
    """Return the same day of another month, or its last day if it is shorter."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    year = min(max(year, EARLIEST), LATEST)  # the rest of a duration must not leave the range of datetime
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)
