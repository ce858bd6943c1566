"""When a schedule was last due: cron lines of five fields, and intervals, with Prefect's semantics.

Other schedules of Prefect (`L`, `#`, seconds, RRULEs) give None. Prefect's own parser is not used, because its import
takes seconds.
"""

from __future__ import annotations

import sys
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
    (0, 6, {name: number for number, name in enumerate(DAYS)} | {"7": 0}),
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
DAY_FIELDS = (2, 4)
"""Fields in which `?` is `*`."""

FARTHEST = 366 * 40
"""Days to look back: a 29th of February that is a Sunday may come 40 years after the one before (1880 and 1920)."""


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


MOVED = timedelta(hours=3)
"""Clocks are changed by less than this."""

FORWARD = sys.version_info >= (3, 13)
"""Prefect's server moves times that are skipped forward, on this Python (`_instant`)."""


def last_due(
    schedule: Mapping[str, Any], now: datetime, zone: Callable[[str], tzinfo | None], *, forward: bool = FORWARD
) -> datetime | None:
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
    return _before(cron, now, zoned, forward=forward) if zoned else None


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
    words = [word if word != "?" or place not in DAY_FIELDS else "*" for place, word in enumerate(words)]
    minutes, hours, days, months, weekdays = (
        frozenset(_values(word, *field)) for word, field in zip(words, FIELDS, strict=True)
    )
    both = _restricts(words[2], words[4], all_of=len(days) == DAYS_OF_MONTH) and _restricts(
        words[4], words[2], all_of=len(weekdays) == len(DAYS)
    )
    return Cron(minutes, hours, days, months, weekdays, either=day_or and both)


def _restricts(word: str, other: str, *, all_of: bool) -> bool:
    """Return whether a day field is more than `*`: a list of all days is not, if the other day field has a `*`."""
    if word != "*" and "*" in word.split(","):
        raise ValueError("a list of days with a * in it")  # it has a meaning of its own for Prefect
    return word != "*" and not (all_of and "*" in other)


def _values(word: str, lowest: int, highest: int, names: Mapping[str, int]) -> Iterator[int]:
    for part in word.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        by = _number(step, {}) if slash else 1
        if by < 1:
            raise ValueError("a step is below 1")
        if span == "*":
            yield from range(lowest, highest + 1, by)
            continue
        begin = _number(first, names)
        end = _number(last, names) if dash else highest if slash else begin
        if not (lowest <= begin <= highest and lowest <= end <= highest):
            raise ValueError("a value is out of its field's range")
        yield from _span(begin, end, by, lowest, highest) if dash or slash else (begin,)


def _span(begin: int, end: int, by: int, lowest: int, highest: int) -> Iterator[int]:
    """Yield the values of a span: one whose ends are equal is the whole field, and one may go over its end."""
    if begin == end:
        begin, end = lowest, highest
    if begin < end:
        yield from range(begin, end + 1, by)
        return
    before = range(begin, highest + 1, by)
    left = highest - before[-1]
    skipped = by - left if before[-1] - lowest + by > highest - lowest + 1 and left < by else 0
    yield from (*before, *range(lowest + skipped, end + 1, by))


def _number(word: str, names: Mapping[str, int]) -> int:
    if word in names:
        return names[word]
    if not (word.isascii() and word.isdecimal()):
        raise ValueError("it is no number")
    return names.get(str(int(word)), int(word))


def _before(cron: Cron, now: datetime, zone: tzinfo, *, forward: bool) -> datetime | None:
    """Return the latest time that is due at `now` or before.

    Days are looked at up to one after: in a skipped hour, a time may be due before one of an earlier hour or day.
    """
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    found: datetime | None = None
    for back in range(FARTHEST):
        day = tomorrow - timedelta(days=back)
        last, found = found, max(filter(None, (found, _on(cron, day, now, zone, forward=forward))), default=None)
        if last:
            break
    return found


def _on(cron: Cron, day: date, now: datetime, zone: tzinfo, *, forward: bool) -> datetime | None:
    """Return the latest time of a day that is due at `now` or before."""
    if not cron.on(day):
        return None
    local, found = now.astimezone(zone).replace(tzinfo=None), None
    times = (
        (hour, minute) for hour in sorted(cron.hours, reverse=True) for minute in sorted(cron.minutes, reverse=True)
    )
    for hour, minute in times:
        wall = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 - a wall time
        if wall > local + MOVED:
            continue
        due = _instant(wall.replace(tzinfo=zone), forward=forward)
        if found and due < found - MOVED:
            break
        if due <= now:
            found = max(due, found or due)
    return found


def _instant(wall: datetime, *, forward: bool) -> datetime:
    """Return when Prefect fires at a wall time, in UTC: the first time of two; one that is skipped is moved.

    Prefect moves it by the hour that is skipped, forward on Python 3.13 and later and back on earlier ones, where it
    uses another library (prefect.server.schemas.schedules, CronSchedule; Prefect 3.8).
    """
    first, other = wall.astimezone(UTC), wall.replace(fold=1).astimezone(UTC)
    skipped = first > other  # PEP 495: in a gap, fold=0 has the offset before it, and fold=1 the one after
    return other if skipped and not forward else first
