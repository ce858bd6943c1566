from datetime import UTC, datetime, timedelta, timezone

from kubeferry.tasks.core.formats.lease import RENEW, SECONDS, Holder, expired, holder_of, lease, renewed

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
