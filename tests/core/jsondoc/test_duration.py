"""Spans of time: what is written is what is meant, and what could mean two things is refused."""

import re
from datetime import UTC, datetime

import pytest

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.jsondoc.duration import UNTIL, Span, until

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("12h", "2026-03-31T00:00"),
        ("30d", "2026-03-01T12:00"),
        ("2w", "2026-03-17T12:00"),
        ("1mo", "2026-02-28T12:00"),
        ("1y", "2025-03-31T12:00"),
        ("1y1mo1d", "2025-02-27T12:00"),
        ("720h0m0s", "2026-03-01T12:00"),
        ("1h30m", "2026-03-31T10:30"),
        ("999y", "1027-03-31T12:00"),
    ],
)
def test_it_reaches_back(text, before):
    assert Span.parse(text).before(NOW).isoformat(timespec="minutes").removesuffix("+00:00") == before


@pytest.mark.parametrize("text", ["", "3m", "30", "d", "-1d", "1.5d", "1d1y", "30 d", "٣d", "10000000000h"])
def test_what_is_none_is_refused(text):
    with pytest.raises(UsageError, match="is not a duration"):
        Span.parse(text)


def test_the_longest_one_stays_within_dates():
    longest = Span.parse("999y9999mo9999w99999d999999h")
    assert longest.before(NOW) < NOW < longest.after(NOW)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("30d", "2026-03-04T10:00:00+00:00"),
        ("12h", "2026-02-02T22:00:00+00:00"),
        ("2027-01-31", "2027-01-31T00:00:00+00:00"),
        ("2027-01-31T12:00Z", "2027-01-31T12:00:00+00:00"),
        ("2027-01-31T12:00:30Z", "2027-01-31T12:00:30+00:00"),
    ],
)
def test_a_time_is_a_duration_from_now_or_a_day_or_an_instant(text, end):
    assert re.search(UNTIL, text)
    assert until(text, datetime(2026, 2, 2, 10, tzinfo=UTC)).isoformat() == end


@pytest.mark.parametrize("text", ["90m", "tomorrow", "2027", "2027-1-31", "2027-01-31T12:00+02:00", "30d2027-01-31"])
def test_what_is_no_time_does_not_match(text):
    assert not re.search(UNTIL, text)


def test_a_day_that_no_month_has_is_refused():
    with pytest.raises(UsageError, match="'2027-02-30' is no time"):
        until("2027-02-30", datetime(2026, 2, 2, tzinfo=UTC))
