from datetime import UTC, datetime, timedelta

from tasks.core.lease import SECONDS, Holder, expired, holder_of, lease, renewed

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
