"""When a schedule was last due: cron lines of five fields, and intervals, with Prefect's semantics.

Other schedules of Prefect (`L`, `#`, seconds, RRULEs) give None. Prefect's own parser is not used, because its import
takes seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date, tzinfo

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

FIELDS: tuple[tuple[int, int, Mapping[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, {name: number for number, name in enumerate(MONTHS, start=1)}),
    (0, 7, {name: number for number, name in enumerate(DAYS)}),  # 7 is Sunday too
)
"""Minute, hour, day of the month, month, day of the week: lowest, highest, names."""

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

DAYS_OF_MONTH = 31

FARTHEST = 366 * 8
"""Days to look back: two 29ths of February may be eight years apart."""


@dataclass(frozen=True)
class Cron:
    """A cron line: the values of its fields."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool
    """Both day fields are restricted, and one match is enough (`day_or`, the rule of cron)."""

    def on(self, day: date) -> bool:
        """Return whether it is due on a day."""
        if day.month not in self.months:
            return False
        met = (day.day in self.days, day.isoweekday() % 7 in self.weekdays)
        return any(met) if self.either else all(met)


def last_due(schedule: Mapping[str, Any], now: datetime, zone: Callable[[str], tzinfo | None]) -> datetime | None:
    """Return when a Prefect schedule was last due, at `now` or before; None if it is not supported.

    `zone` returns the time zone of a name, None for an unknown one.
    """
    zoned = zone(str(schedule.get("timezone") or "UTC"))
    try:
        if "interval" in schedule:
            return _interval(schedule, now)
        cron = parse(str(schedule.get("cron") or ""), day_or=schedule.get("day_or") is not False)
    except ValueError:
        return None
    return _before(cron, now, zoned) if zoned else None


def _interval(schedule: Mapping[str, Any], now: datetime) -> datetime:
    anchor = datetime.fromisoformat(str(schedule.get("anchor_date")))
    step = timedelta(seconds=float(schedule["interval"]))
    if anchor.tzinfo is None or step <= timedelta(0):
        raise ValueError("no anchor with a zone, or no interval")
    return (anchor + (now - anchor) // step * step).astimezone(UTC)


def parse(line: str, *, day_or: bool = True) -> Cron:
    """Return a parsed cron line.

    Raises:
        ValueError: it is not supported.
    """
    words = ALIASES.get(line.strip().lower(), line).lower().split()
    if len(words) != len(FIELDS):
        raise ValueError("a cron line has five fields")
    minutes, hours, days, months, weekdays = (
        frozenset(_values(word, *field)) for word, field in zip(words, FIELDS, strict=True)
    )
    of_week = frozenset(day % 7 for day in weekdays)
    # Prefect's parser treats a list of all days as `*` only if the other day field has a `*`.
    both = _restricts(words[2], words[4], all_of=len(days) == DAYS_OF_MONTH) and _restricts(
        words[4], words[2], all_of=len(of_week) == len(DAYS)
    )
    return Cron(minutes, hours, days, months, of_week, either=day_or and both)


def _restricts(word: str, other: str, *, all_of: bool) -> bool:
    return word != "*" and not (all_of and "*" in other)


def _values(word: str, lowest: int, highest: int, names: Mapping[str, int]) -> Iterator[int]:
    for part in word.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            begin, end = lowest, highest
        else:
            begin = _number(first, names)
            end = _number(last, names) if dash else highest if slash else begin
        by = int(step) if slash else 1
        if not (lowest <= begin <= end <= highest and by > 0):
            raise ValueError("a value is out of its field's range")
        yield from range(begin, end + 1, by)


def _number(word: str, names: Mapping[str, int]) -> int:
    return names[word] if word in names else int(word)


def _before(cron: Cron, now: datetime, zone: tzinfo) -> datetime | None:
    today = now.astimezone(zone).date()
    for back in range(FARTHEST):
        day = today - timedelta(days=back)
        if not cron.on(day):
            continue
        for hour in sorted(cron.hours, reverse=True):
            for minute in sorted(cron.minutes, reverse=True):
                due = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)
                if due <= now:
                    return due
    return None
