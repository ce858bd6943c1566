"""Spans of time as people write them: `30d`, `12h`, `2w`, `6mo`, `1y6mo`; and `720h0m0s` as Velero's users do.

Years and months are those of the calendar, as in restic. A bare `m` is refused: restic means months by it, Go and
Velero minutes, and nobody should lose a backup over that.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from kubeferry.tasks.core.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

PATTERN = (
    "(?:([0-9]{1,3})y)?(?:([0-9]{1,4})mo)?(?:([0-9]{1,4})w)?(?:([0-9]{1,5})d)?"
    "(?:([0-9]{1,6})h(?:([0-9]{1,4})m(?:([0-9]{1,4})s)?)?)?"
)
"""After hours, `m` can only mean minutes (Go's form of a duration)."""

OPTIONAL = rf"^{PATTERN}$"
"""What an option that may be empty must match; Prefect's UI checks it in the form, too."""

_SPAN = re.compile(PATTERN)

EARLIEST, LATEST = 1000, 8000
"""Years to which calendar arithmetic is held."""


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time: months of the calendar, and the rest."""

    months: int
    rest: timedelta

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return a span that is written.

        Raises:
            UsageError: it is none, or is nothing.
        """
        found = _SPAN.fullmatch(text)
        if not text or not found:
            raise UsageError(f"{text[:80]!r} is no span of time: write as 30d, 12h, 2w, 6mo or 1y (m could be minutes)")
        years, months, weeks, days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
        rest = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
        return cls(12 * years + months, rest)

    def before(self, moment: datetime) -> datetime:
        """Return the moment this long before another."""
        return _shifted(moment, -self.months) - self.rest

    def after(self, moment: datetime) -> datetime:
        """Return the moment this long after another."""
        return _shifted(moment, self.months) + self.rest


def _shifted(moment: datetime, months: int) -> datetime:
    """Return the same day of another month, or its last one where it is shorter."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    year = min(max(year, EARLIEST), LATEST)  # so that the rest of a span never leaves what a date can be
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)
