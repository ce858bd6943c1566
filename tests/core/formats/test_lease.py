from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from kubeferry.tasks.core.formats.target.lease import RENEW, SECONDS, Holder, expired, holder_of, lease, renewed

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
ME = Holder("nightly-restore", "node-1", 17, "boot:99")


def test_a_holder_is_read_back():
    assert Holder.parse(ME.text()) == ME
    assert str(ME) == "restore nightly-restore (process 17 on node-1)"
    assert Holder.parse("somebody else") is None


def test_a_lease_is_good_until_it_was_not_renewed_for_its_length():
    taken = lease("shop", ME, NOW)
    assert holder_of(taken) == ME.text()
    assert not expired(taken, NOW + timedelta(seconds=SECONDS))
    assert expired(taken, NOW + timedelta(seconds=SECONDS + 1))
    later = NOW + timedelta(seconds=SECONDS)
    taken["spec"] |= renewed(later)
    assert not expired(taken, later + timedelta(seconds=SECONDS))


def test_a_lease_of_others_that_says_nothing_is_nobodys():
    assert expired({"metadata": {}, "spec": {}}, NOW)
    assert holder_of({"metadata": {}}) == ""


def test_the_lease_of_a_namespace_is_written_as_kubernetes_reads_it():
    """coordination.k8s.io/v1: times are MicroTime, in UTC."""
    assert lease("shop", ME, NOW) == {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "kubeferry-restore", "namespace": "shop"},
        "spec": {
            "holderIdentity": "nightly-restore@node-1/17/boot:99",
            "leaseDurationSeconds": 60,
            "acquireTime": "2026-01-02T03:04:05.000678Z",
            "renewTime": "2026-01-02T03:04:05.000678Z",
        },
    }
    east = NOW.astimezone(timezone(timedelta(hours=5)))
    assert renewed(east) == {"renewTime": "2026-01-02T03:04:05.000678Z"}, "who took it, and when, stays"


def test_a_lease_is_renewed_several_times_before_it_is_lost():
    assert RENEW * 3 < SECONDS <= 60


def test_who_deletes_says_so_and_others_leases_have_no_holder_of_ours():
    delete = Holder("delete bundle web", "node-1", 17, "boot:99")
    assert Holder.parse(delete.text()) == delete
    assert str(delete) == "delete bundle web (process 17 on node-1)"
    for other in ("", "a@b", "a@b/x/y", "node-1/17/boot", "a@b//c"):
        assert Holder.parse(other) is None


def test_a_lease_counts_by_its_own_length_and_one_without_a_time_is_nobodys():
    live = {"metadata": {}, "spec": {"renewTime": "2026-01-02T03:04:05Z", "leaseDurationSeconds": 10}}
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert not expired(live, at + timedelta(seconds=10))
    assert expired(live, at + timedelta(seconds=11))
    live["spec"]["renewTime"] = "soon"
    assert expired(live, at)


HERE = Holder("nightly-restore", "node-1", 17, "boot:99", "pid:[4026531836]/0123456789abcdef")


def read_by_0_1_0(text):
    """What version 0.1.0 reads: host, pid and start time of a holder; it takes one of its own host for dead."""
    _, at, where = text.partition("@")
    host, _, rest = where.partition("/")
    pid, _, started = rest.partition("/")
    return (host, int(pid), started) if at and pid.isdecimal() else None


def test_a_holder_that_says_where_it_is_cannot_be_read_by_those_who_would_misread_it():
    assert Holder.parse(HERE.text()) == HERE
    assert str(HERE) == str(ME)
    assert read_by_0_1_0(ME.text()) == ("node-1", 17, "boot:99")
    assert read_by_0_1_0(HERE.text()) is None


def test_only_a_holder_that_says_all_of_it_can_be_found_dead():
    assert HERE.where() == ("pid:[4026531836]/0123456789abcdef", "boot")
    for other in (ME, replace(HERE, started="99"), replace(HERE, started=""), Holder.parse(ME.text())):
        assert other.where() is None


@pytest.mark.parametrize("pid", ["9" * 30, "¹", "\u0661", "-1", "0x1", ""])
def test_a_pid_that_is_none_is_not_read(pid):
    assert Holder.parse(f"r@node-1/{pid}/boot:99") is None


@pytest.mark.parametrize("ahead", [timedelta(minutes=3), timedelta(days=365 * 100)])
def test_a_lease_that_is_dated_ahead_has_expired(ahead):
    """A tenant dates it so that it never ends."""
    assert expired(lease("shop", ME, NOW + ahead), NOW)


def test_a_clock_that_is_a_little_ahead_is_none():
    assert not expired(lease("shop", ME, NOW + timedelta(seconds=30)), NOW)


def test_a_lease_of_years_is_one_of_a_minute():
    taken = lease("shop", ME, NOW)
    taken["spec"]["leaseDurationSeconds"] = 2**31 - 1
    assert not expired(taken, NOW + timedelta(seconds=59))
    assert expired(taken, NOW + timedelta(seconds=61))


def test_a_time_without_a_zone_is_none():
    assert expired({"spec": {"renewTime": "2026-01-02T03:04:05", "leaseDurationSeconds": 60}}, NOW)
