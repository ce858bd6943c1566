"""Retention by tables, and by what must hold whatever is asked."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.jsondoc.duration import Span
from kubeferry.tasks.core.models.options_maintenance import PERIODS, RetentionPolicy
from kubeferry.tasks.core.ops.retention import Candidate, fates

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)  # a Monday


def candidate(name, started, *, good=True, expires=None, series=("c", "shop", "")):
    moment = datetime.fromisoformat(started).replace(tzinfo=UTC)
    return Candidate(
        name, series, moment, good, datetime.fromisoformat(expires).replace(tzinfo=UTC) if expires else None
    )


def kept(candidates, **policy):
    periods = tuple((rule, policy.pop(rule)) for rule in PERIODS if rule in policy)
    within = Span.parse(policy.pop("within")) if "within" in policy else None
    found = fates(candidates, RetentionPolicy(within, periods=periods, **policy), NOW)
    assert found.keys() == {each.name for each in candidates}
    return sorted(name for name, fate in found.items() if fate.keep)


TWICE_A_DAY = [
    candidate(f"{day:02}-{hour:02}", f"2026-06-{day:02}T{hour:02}:00") for day in range(1, 15) for hour in (3, 15)
]
MONTHS = [
    candidate(f"{year}-{month:02}", f"{year}-{month:02}-01T03:00") for year in (2024, 2025, 2026) for month in (1, 6)
]


@pytest.mark.parametrize(
    ("policy", "stays"),
    [
        ({"last": 2}, ["14-03", "14-15"]),
        ({"last": 100}, [each.name for each in TWICE_A_DAY]),
        ({"within": "24h"}, ["14-03", "14-15"]),  # from the newest one, which began at 15:00
        ({"within": "2d"}, ["13-03", "13-15", "14-03", "14-15"]),
        ({"hourly": 2}, ["14-03", "14-15"]),
        ({"daily": 3}, ["12-15", "13-15", "14-15"]),
        # ISO weeks end on Sunday: the 14th and the 7th.
        ({"weekly": 2}, ["07-15", "14-15"]),
        ({"monthly": 1}, ["14-15"]),
        # Each rule looks at all of them, as in restic; borg would not count what another keeps already.
        ({"last": 1, "daily": 2}, ["13-15", "14-15"]),
        ({"daily": 2, "weekly": 2}, ["07-15", "13-15", "14-15"]),
    ],
)
def test_rules_mean_what_they_mean_in_restic(policy, stays):
    assert kept(TWICE_A_DAY, **policy) == stays


@pytest.mark.parametrize(
    ("policy", "stays"),
    [
        ({"yearly": 2}, ["2025-06", "2026-06"]),
        ({"monthly": 3}, ["2025-06", "2026-01", "2026-06"]),
        ({"yearly": 9}, ["2024-01", "2024-06", "2025-06", "2026-06"]),  # with the oldest: it is not filled
        ({"within": "1y"}, ["2026-01", "2026-06"]),
    ],
)
def test_periods_without_a_backup_do_not_count(policy, stays):
    assert kept(MONTHS, **policy) == stays


TWO = [candidate("a", "2026-06-10T03:00"), candidate("b", "2026-06-10T15:00")]
FIVE = [candidate(str(n), f"2026-06-{n:02}T{hour}:00") for n, hour in [(8, "03"), (9, "03"), (10, "03"), (11, "03")]]
FIVE += [candidate("9-late", "2026-06-09T15:00")]


@pytest.mark.parametrize(
    ("some", "policy", "stays"),
    [
        (TWO, {"daily": 7}, ["a", "b"]),
        (TWO, {"daily": 2}, ["a", "b"]),
        (TWO, {"daily": 1}, ["b"]),  # it is filled
        (TWO, {"hourly": 1}, ["b"]),
        (TWO, {"weekly": 2}, ["a", "b"]),
        (TWO, {"monthly": 2}, ["a", "b"]),
        (TWO, {"yearly": 2}, ["a", "b"]),
        (TWO, {"last": 1}, ["b"]),
        (TWO, {"within": "1h"}, ["b"]),
        (FIVE, {"daily": 3}, ["10", "11", "9-late"]),
        (FIVE, {"daily": 4}, ["10", "11", "8", "9-late"]),
        (FIVE, {"weekly": 2}, ["11", "8"]),
        (FIVE, {"weekly": 1}, ["11"]),
        (FIVE, {"weekly": 1, "monthly": 2}, ["11", "8"]),
    ],
)
def test_the_oldest_one_stays_as_long_as_a_rule_is_not_filled(some, policy, stays):
    """restic's ApplyPolicy: it maximizes the time that is covered while some counts are left."""
    assert kept(some, **policy) == stays


def test_the_oldest_one_is_named_as_such():
    found = fates(TWO, RetentionPolicy(periods=(("daily", 7), ("weekly", 1))), NOW)
    assert (found["a"].why, found["b"].why) == ("daily: the oldest", "daily 1, weekly 1")


def test_what_is_young_is_so_beside_the_newest_that_is_not_in_the_future():
    """As in restic: backups that stopped a year ago do not go because of their age."""
    old = [candidate("a", "2024-01-01"), candidate("b", "2024-01-20"), candidate("c", "2024-01-21")]
    assert kept(old, within="2d") == ["b", "c"]
    assert kept([*old, candidate("z", "2031-01-01")], within="2d") == ["b", "c", "z"]


def test_without_a_rule_all_that_has_not_expired_stays():
    old = candidate("old", "2020-01-01")
    assert kept([old, candidate("new", "2026-01-01"), candidate("gone", "2025-01-01", expires="2025-02-01")]) == [
        "new",
        "old",
    ]


def test_each_series_is_judged_by_itself():
    other = candidate("other", "2020-01-01", series=("c", "bank", ""))
    part = candidate("part", "2020-01-02", series=("c", "shop", "kind secrets"))
    elsewhere = candidate("elsewhere", "2020-01-03", series=("d", "shop", ""))
    assert kept([*TWICE_A_DAY, other, part, elsewhere], last=1) == ["14-15", "elsewhere", "other", "part"]


def test_the_last_good_one_stays_though_newer_ones_are_not_good():
    some = [candidate("good", "2026-01-01"), *(candidate(f"bad{n}", f"2026-05-0{n}", good=False) for n in (1, 2, 3))]
    assert kept(some, last=2) == ["bad2", "bad3", "good"]


def test_the_last_good_one_stays_though_it_has_expired():
    some = [candidate("a", "2026-01-01", expires="2026-02-01"), candidate("b", "2026-01-02", expires="2026-02-02")]
    assert kept(some) == ["b"]


def test_a_good_one_is_kept_for_its_day_before_a_later_partial_one():
    day = [candidate("good", "2026-06-10T03:00"), candidate("partial", "2026-06-10T15:00", good=False)]
    older = [candidate("old", "2026-06-09"), candidate("before", "2026-06-08")]
    assert kept([*older, *day, candidate("next", "2026-06-11")], daily=3) == ["good", "next", "old"]


def test_an_expiration_keeps_until_then_whatever_the_rules():
    some = [candidate("old", "2026-01-01", expires="2027-01-01"), candidate("new", "2026-06-01")]
    assert kept(some, last=1) == ["new", "old"]


def test_what_has_expired_takes_no_place_of_a_rule():
    some = [
        candidate("old", "2026-01-01"),
        candidate("new", "2026-06-01"),
        candidate("x", "2026-06-02", expires="2026-06-03"),
    ]
    # x was the newest: it is the last good one, and stays for that alone.
    assert kept(some, last=1) == ["new", "x"]


def test_every_verdict_has_its_reason():
    found = fates(TWICE_A_DAY, RetentionPolicy(last=1, periods=(("daily", 1), ("weekly", 2))), NOW)
    assert (found["14-15"].why, found["07-15"].why) == ("last 1, daily 1, weekly 1", "weekly 2")
    assert found["14-03"].why == "no rule keeps it"


candidates = st.lists(
    st.builds(
        Candidate,
        name=st.uuids().map(str),
        series=st.sampled_from([("a", "x", ""), ("b", "x", "")]),
        started=st.datetimes(datetime(2020, 1, 1), datetime(2026, 6, 15)).map(lambda at: at.replace(tzinfo=UTC)),  # noqa: DTZ001 - Hypothesis wants naive bounds
        good=st.booleans(),
        expires=st.none() | st.integers(-900, 900).map(lambda days: NOW + timedelta(days=days)),
    ),
    max_size=30,
    unique_by=lambda each: each.name,
)
counts = st.integers(0, 5)
policies = st.builds(
    RetentionPolicy,
    within=st.none() | st.sampled_from(["30d", "1y", "12h"]).map(Span.parse),
    last=counts,
    periods=st.lists(st.tuples(st.sampled_from(list(PERIODS)), st.integers(1, 4)), max_size=5).map(tuple),
)


FORMS = {"hourly": "%Y%m%d%H", "daily": "%Y%m%d", "weekly": "%G%V", "monthly": "%Y%m", "yearly": "%Y"}


def by_restic(newest, policy):
    """restic's ApplyPolicy, told in short: what it keeps of one series, the newest first."""
    stays = {each.name for each in newest[: policy.last]}
    for rule, count in policy.periods:
        left, before = count, ""
        for number, each in enumerate(newest, start=1):
            period = each.started.strftime(FORMS[rule])
            if left and (period != before or number == len(newest)):
                left, before = left - 1, period
                stays.add(each.name)
    if policy.within and newest:
        since = policy.within.before(max(each.started for each in newest))
        stays |= {each.name for each in newest if each.started > since}
    return stays


moments = st.integers(0, 24 * 400).map(lambda hours: NOW - timedelta(hours=hours + 1))


@given(st.lists(moments, max_size=20, unique=True), policies)
def test_the_same_as_restic_for_complete_backups(started, policy):
    some = [Candidate(f"{at:%Y%m%d%H}", ("c", "shop", ""), at, good=True) for at in started]
    stays = by_restic(sorted(some, key=lambda each: each.started, reverse=True), policy)
    wanted = stays | {max(started, default=NOW).strftime("%Y%m%d%H")} if policy.given else {each.name for each in some}
    assert {name for name, fate in fates(some, policy, NOW).items() if fate.keep} == wanted & {
        each.name for each in some
    }


@given(candidates, policies)
def test_whatever_is_asked(some, policy):
    """The last good one of each series stays; what has no expiration is never deleted without a rule; counts hold."""
    found = fates(some, policy, NOW)
    for series in {each.series for each in some}:
        mine = [each for each in some if each.series == series]
        good = [each for each in mine if each.good]
        if good:
            assert found[max(good, key=lambda each: (each.started, each.name)).name].keep
        kept_ones = [each for each in mine if found[each.name].keep]
        live = [each for each in mine if not (each.expires and each.expires <= NOW)]
        assert len(kept_ones) >= min(policy.last, len(live))
        if not policy.given:
            assert set(live) <= set(kept_ones)


@given(candidates, policies)
def test_pruning_again_removes_nothing_more(some, policy):
    """What is left by one run is what the next one keeps: two prunes after each other are as one."""
    first = fates(some, policy, NOW)
    left = [each for each in some if first[each.name].keep]
    second = fates(left, policy, NOW)
    assert all(second[each.name].keep for each in left if not (each.expires and each.expires <= NOW))


def test_of_two_that_started_in_the_same_second_the_later_one_is_the_last():
    """By name, "two" would be later than "four", and `--keep-last 1` would delete the newest backup."""
    second = datetime(2026, 6, 14, 3, tzinfo=UTC)
    some = [
        Candidate(name, ("c", "shop", ""), second, good=True, created=second + timedelta(milliseconds=part))
        for name, part in [("two", 100), ("four", 900), ("one", 50)]
    ]
    assert kept(some, last=1) == ["four"]
    assert kept(some, daily=1) == ["four"]
