"""When a schedule was last due, compared with the cron reader that Prefect itself schedules by."""

import asyncio
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


@pytest.mark.parametrize(
    ("cron", "now", "expected"),
    [
        ("0 0 4 1 sun", "2026-01-03", "2015-01-04"),
        ("0 0 4 1 sun", "2026-01-05", "2026-01-04"),
        ("0 0 29 2 sun", "2026-11-28", "2004-02-29"),
        ("0 0 29 2 sun", "2128-02-28", "2088-02-29"),
    ],
)
def test_days_that_both_fit_may_be_many_years_apart(cron, now, expected):
    then, found = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (now, expected))
    assert due(cron, then, day_or=False) == found


def test_a_time_zone_counts():
    assert due("0 2 * * *", zone="Europe/Berlin") == datetime(2026, 11, 28, 1, tzinfo=UTC)
    summer = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert due("0 2 * * *", summer, "Europe/Berlin") == datetime(2026, 7, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "cron",
    [
        *("", "x", "* * * *", "* * * * * *", "61 * * * *", "0 0 L * *", "0 0 * * mon#1", "*/0 * * * *", "+5 * * * *"),
        *("1_0 * * * *", "-5 * * * *", "5- * * * *", "0 24 * * *", "0 0 0 * *", "0 0 * 13 *", "0 0 * * 8", "? * * * *"),
        *("0 0 1,* * 1", "0 0 * * mon,", "5-/2 * * * *", "0 */5-7 * * *", "0 0 15W * *", "@reboot"),
    ],
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
    return st.one_of(
        st.just("*"),
        one,
        st.tuples(one, one).map("-".join),
        st.integers(1, high).map(lambda step: f"*/{step}"),
        st.tuples(one, one, st.integers(1, 9).map(str)).map(lambda each: f"{each[0]}-{each[1]}/{each[2]}"),
        st.tuples(one, st.integers(1, 9).map(str)).map("/".join),
        st.lists(one, min_size=2).map(",".join),
    )


CRON = st.tuples(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 7)).map(" ".join)


@settings(deadline=None, max_examples=50)
@given(cron=CRON, seconds=st.integers(0, 400 * 86400), day_or=st.booleans())
def test_prefects_own_reader_says_the_same(cron, seconds, day_or):
    from prefect._vendor.croniter import CroniterBadDateError, croniter

    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    mine = due(cron, now, day_or=day_or)
    # Theirs looks before its start: a second later a time that is due now counts.
    reader = croniter(cron, now.replace(microsecond=0) + timedelta(seconds=1), day_or=day_or)
    try:
        theirs = reader.get_prev(datetime)
    except CroniterBadDateError:
        theirs = None
    assert mine == theirs or (mine and mine < now - timedelta(days=365) and theirs is None)


NEAR = [
    *("30 2 * * *", "0 2 * * *", "0 3 * * *", "59 1 * * *", "*/15 * * * *", "15 1-3 * * *", "0 */2 * * *", "@daily"),
    *("30 0 * * *", "45 23,0 * * *", "0,50 1,2 * * *", "10 2 * * sun", "10 2 29 3 *"),
]
ODD = [
    *("0 4 * * sun-sun", "0 4 * * mon-mon", "0 4 * * fri-sun", "0 4 * * 7-7", "0 4 * * 5-1", "0 22-2 * * *"),
    *("50-10/7 * * * *", "59/5 3 * * *", "0 0 ? * *", "0 5 * * ?", "0 5 25-5 * *", "0 5 * nov-apr *", "0 5 * * 1/2"),
    *("*,5 3 * * *", "0 5 * * 0-7", "0 5 28-28 * 1", "0 5 28-28 * *", "7 5-5/8 * * *"),
]
SHIFTS = [
    ("Europe/Berlin", "2026-03-29T01:00"),
    ("Europe/Berlin", "2026-10-25T01:00"),
    ("America/New_York", "2026-03-08T07:00"),
    ("America/New_York", "2026-11-01T06:00"),
    ("America/Havana", "2026-03-08T05:00"),  # midnight is skipped
    ("Asia/Beirut", "2026-03-28T22:00"),  # and here
    ("Australia/Lord_Howe", "2026-10-03T15:30"),  # half an hour
    ("UTC", "2026-02-28T00:00"),
]


@pytest.mark.parametrize(
    ("cron", "zone", "shift"),
    [*((cron, *shift) for cron in NEAR for shift in SHIFTS), *((cron, *SHIFTS[0]) for cron in ODD)],
)
def test_prefects_own_schedule_fires_then_also_where_clocks_change(cron, zone, shift):
    """On this Python; the scheduler makes runs ahead of time, so they are asked for from some days before."""
    from prefect.server.schemas.schedules import CronSchedule

    middle = datetime.fromisoformat(shift).replace(tzinfo=UTC)
    start = middle - timedelta(days=8)
    dates = asyncio.run(CronSchedule(cron=cron, timezone=zone).get_dates(1000, start, middle + timedelta(days=1)))
    fired = sorted(each.astimezone(UTC) for each in dates)
    for minutes in range(-180, 24 * 60, 89):
        now = middle + timedelta(minutes=minutes)
        theirs = max((each for each in fired if each <= now), default=None)
        mine = due(cron, now, zone)
        assert mine == theirs or (theirs is None and (mine is None or mine < start)), now


@pytest.mark.parametrize(
    ("cron", "forward", "expected"),
    [
        ("30 2 * * *", True, "2026-03-29T01:30"),
        ("30 2 * * *", False, "2026-03-29T00:30"),
        ("30 1,2 * * *", True, "2026-03-29T01:30"),
        ("30 1,2 * * *", False, "2026-03-29T00:30"),
        ("45 1 * * *", False, "2026-03-29T00:45"),
    ],
)
def test_a_skipped_time_is_moved_as_on_each_python(cron, forward, expected):
    """Prefect uses pendulum before Python 3.13, which moves it back, and whenever from there on, which moves it on."""
    schedule = {"cron": cron, "timezone": "Europe/Berlin"}
    now = datetime(2026, 3, 29, 5, tzinfo=UTC)
    assert last_due(schedule, now, ZoneInfo, forward=forward) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_a_line_has_five_fields():
    with pytest.raises(ValueError, match="five fields"):
        parse("* *")
