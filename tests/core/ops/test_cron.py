"""When a schedule was last due, compared with the cron reader that Prefect itself schedules by."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubeferry.tasks.core.ops.cron import last_due, parse

NOW = datetime(2026, 11, 28, 3, 34, 18, tzinfo=UTC)


def due(cron, now=NOW, zone="UTC", **more):
    return last_due({"cron": cron, "timezone": zone, **more}, now, ZoneInfo)


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 2 * * *", "2026-11-28T02:00"),
        ("0 4 * * *", "2026-11-27T04:00"),
        ("34 3 * * *", "2026-11-28T03:34"),
        ("*/15 * * * *", "2026-11-28T03:30"),
        ("0 1 * * mon-fri", "2026-11-27T01:00"),
        ("0 1 * * 7", "2026-11-22T01:00"),
        ("0 0 29 2 *", "2024-02-29T00:00"),
        ("0 0 1,15 * mon", "2026-11-23T00:00"),
        ("5/20 3 * * *", "2026-11-28T03:25"),
        ("@weekly", "2026-11-22T00:00"),
        ("0 0 30 jun *", "2026-06-30T00:00"),
    ],
)
def test_a_cron_line(cron, expected):
    assert due(cron) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_both_days_have_to_fit_where_one_is_not_enough():
    assert due("0 0 1,15 * mon", day_or=False) == datetime(2026, 6, 15, tzinfo=UTC)


def test_a_time_zone_counts():
    assert due("0 2 * * *", zone="Europe/Berlin") == datetime(2026, 11, 28, 1, tzinfo=UTC)
    summer = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert due("0 2 * * *", summer, "Europe/Berlin") == datetime(2026, 7, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "cron",
    ["", "x", "* * * *", "* * * * * *", "61 * * * *", "0 0 L * *", "0 0 * * mon#1", "*/0 * * * *", "5-1 * * * *"],
)
def test_what_is_not_understood_is_not_guessed(cron):
    assert due(cron) is None


def test_a_day_that_never_comes():
    assert due("0 0 31 feb *") is None


def test_an_unknown_zone_is_not_guessed():
    assert last_due({"cron": "* * * * *", "timezone": "Mars/Base"}, NOW, lambda _: None) is None


def test_an_interval():
    schedule = {"interval": 86400.0, "anchor_date": "2026-01-01T06:30:00+00:00", "timezone": "UTC"}
    assert last_due(schedule, NOW, ZoneInfo) == datetime(2026, 11, 27, 6, 30, tzinfo=UTC)


def test_an_interval_without_an_anchor_and_a_rule_are_not_understood():
    assert last_due({"interval": 60}, NOW, ZoneInfo) is None
    assert last_due({"rrule": "FREQ=DAILY", "timezone": "UTC"}, NOW, ZoneInfo) is None


def field(low, high):
    one = st.integers(low, high).map(str)
    # A span of one day of the week is all of the week to croniter, which nobody writes.
    span = st.integers(low, high - 1).flatmap(lambda begin: st.integers(begin + 1, high).map(f"{begin}-{{}}".format))
    return st.one_of(
        st.just("*"),
        one,
        span,
        st.integers(1, high).map(lambda step: f"*/{step}"),
        st.lists(one, min_size=2).map(",".join),
    )


CRON = st.tuples(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6)).map(" ".join)


@settings(deadline=None, max_examples=60)
@given(cron=CRON, seconds=st.integers(0, 400 * 86400))
def test_prefects_own_reader_says_the_same(cron, seconds):
    from prefect._vendor.croniter import croniter

    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    mine = due(cron, now)
    assert mine <= now
    # Theirs looks before its start: a second later a time that is due now counts.
    theirs = croniter(cron, now.replace(microsecond=0) + timedelta(seconds=1)).get_prev(datetime)
    assert mine == theirs


def test_a_line_has_five_fields():
    with pytest.raises(ValueError, match="five fields"):
        parse("* *")
