"""Who may work on a migration: one run at a time, and the next one when that is surely over."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import orjson
import pytest

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.formats.target.lease import Holder
from kubeferry.tasks.ports.cluster.leases import me
from kubeferry.tasks.ports.records import migration_lease
from kubeferry.tasks.ports.records.migration_lease import MigrationLease
from kubeferry.tasks.ports.store.local import LocalStore

KEY = "restores/m/kubeferry-migration-lease.json"
OWN = me("migrate m")
ELSEWHERE = Holder("migrate m", "another-host", OWN.pid, OWN.started, "another/space").text()
GONE = Holder("migrate m", OWN.host, OWN.pid, f"{OWN.started}1", OWN.space).text()


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path)


def left(store, holder, seconds=0):
    """A lease that another process took and last renewed some seconds ago."""
    store.put(KEY, orjson.dumps({"holder": holder, "run": "other"}))
    path, then = Path(store.root, KEY), time.time() - seconds
    os.utime(path, (then, then))


def test_of_many_that_come_at_once_one_gets_it_and_the_others_learn_who(store):
    together = Barrier(8)

    def come(number):
        together.wait()
        try:
            return MigrationLease(store, "m", str(number))
        except PermanentError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(come, range(8)))
    held = [each for each in found if isinstance(each, MigrationLease)]
    assert len(held) == 1
    who = f"migration m is being worked on by migrate m (process {os.getpid()} on {OWN.host}): if that has crashed"
    assert all(each.startswith(who) for each in found if isinstance(each, str))
    held[0].release()
    assert not store.exists(KEY)
    MigrationLease(store, "m", "next").release()


@pytest.mark.parametrize(
    ("holder", "seconds", "taken"),
    [
        (ELSEWHERE, 100, False),
        (ELSEWHERE, 130, True),
        (ELSEWHERE, -3600, False),
        (GONE, 0, True),
        ("nonsense", 0, False),
    ],
    ids=["renewed lately", "not renewed", "dated ahead", "its process is gone", "it cannot be read"],
)
def test_when_it_is_taken_over(store, holder, seconds, taken):
    left(store, holder, seconds)
    if taken:
        MigrationLease(store, "m", "1").release()
        return
    with pytest.raises(PermanentError, match=r"resume it in \d+ s$"):
        MigrationLease(store, "m", "1")


def test_it_says_in_how_many_seconds_it_may_be_resumed(store, monkeypatch):
    left(store, ELSEWHERE)
    then = datetime.fromtimestamp(Path(store.root, KEY).stat().st_mtime, UTC)
    monkeypatch.setattr(LocalStore, "clock", lambda _: then + timedelta(seconds=100))
    with pytest.raises(PermanentError, match=r"on another-host\): if that has crashed, resume it in 20 s$"):
        MigrationLease(store, "m", "1")


def test_while_it_is_renewed_it_stays(store, monkeypatch):
    monkeypatch.setattr(migration_lease, "RENEWAL", timedelta(seconds=0.02))
    lease = MigrationLease(store, "m", "1")
    path = Path(store.root, KEY)
    os.utime(path, (0, 0))
    limit = time.monotonic() + 60
    while path.stat().st_mtime < 1:
        assert time.monotonic() < limit, "it is not renewed"
        time.sleep(0.01)
    lease.check()
    lease.release()


@pytest.mark.parametrize("other", [ELSEWHERE, None], ids=["taken over", "deleted"])
def test_one_that_lost_it_begins_nothing_more_and_leaves_that_of_the_other(store, monkeypatch, other):
    monkeypatch.setattr(migration_lease, "RENEWAL", timedelta(seconds=0.02))
    lease = MigrationLease(store, "m", "1")
    if other:
        left(store, other)
    else:
        store.delete([KEY])
    lease._thread.join(60)
    with pytest.raises(PermanentError, match="nothing more of it is begun here"):
        lease.check()
    lease.release()
    assert store.exists(KEY) is bool(other)


def test_one_that_could_not_renew_it_for_its_whole_duration_has_lost_it(store, monkeypatch):
    lease = MigrationLease(store, "m", "1")
    now = lease._good
    monkeypatch.setattr(migration_lease, "since_boot", lambda: now + 119)
    lease.check()
    monkeypatch.setattr(migration_lease, "since_boot", lambda: now + 121)
    with pytest.raises(PermanentError, match="not renewed for 120 s"):
        lease.check()
    lease.release()
