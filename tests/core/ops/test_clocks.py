"""When a store's clock and this machine's disagree so far that nothing is removed by age."""

from datetime import UTC, datetime, timedelta

import pytest

from kubeferry.tasks.core.errors import StoreError
from kubeferry.tasks.core.ops import clocks

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("seconds", [0, 299, -300])
def test_clocks_that_agree(seconds):
    clocks.check("s3://b", NOW + timedelta(seconds=seconds), NOW, NOW)


@pytest.mark.parametrize(("seconds", "shown"), [(302, "03:09:07"), (-302, "02:59:03"), (86400, "2026-01-03")])
def test_clocks_that_differ_are_both_named_in_one_line(seconds, shown):
    with pytest.raises(StoreError, match="03:04:05 UTC: nothing is removed") as caught:
        clocks.check("s3://b", NOW + timedelta(seconds=seconds), NOW, NOW)
    assert shown in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_store_without_a_clock_and_a_slow_answer_stop_nothing():
    clocks.check("s3://b", None, NOW, NOW)
    clocks.check("s3://b", NOW + timedelta(minutes=8), NOW, NOW + timedelta(minutes=10))


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("Fri, 02 Jan 2026 03:04:05 GMT", NOW),
        ("Fri, 02 Jan 2026 03:04:05 -0000", NOW),
        ("Fri, 02 Jan 2026 04:04:05 +0100", NOW),
        ("", None),
        ("yesterday", None),
    ],
)
def test_a_date_header(header, found):
    assert clocks.parsed(header) == found
