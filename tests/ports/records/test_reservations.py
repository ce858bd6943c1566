"""When the mark on a name is that of a process which is gone: by the process where it can be asked, else by time."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import orjson
import pytest

from kubeferry.tasks.core.errors import KeyMissingError, PermanentError, StoreUnavailableError, UsageError
from kubeferry.tasks.core.formats.layout import BackupKeys
from kubeferry.tasks.core.formats.target.lease import Holder
from kubeferry.tasks.ports.cluster.leases import me
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.records import reservations
from kubeferry.tasks.ports.records.reservations import Deletion, Reservation, read_mark, reserve, reserved
from kubeferry.tasks.ports.store.local import LocalStore
from kubeferry.tasks.ports.store.open import open_store
from kubeferry.tasks.ports.store.s3 import S3Store
from kubeferry.tasks.ports.store.s3_bucket import PART

NOW = clock.now()
OWN = me("prune x")
KEYS = BackupKeys("b")


def on(host, pid=OWN.pid, started=OWN.started, space=OWN.space):
    return Holder("prune x", host, pid, started, space).text()


@pytest.mark.parametrize(
    ("deletes", "holder", "hours", "gone"),
    [
        (False, "/work/of-a-run", 23, False),
        (False, "/work/of-a-run", 25, True),
        (True, on(OWN.host), 100, False),  # it lives: however long it takes
        (True, on(OWN.host, started=f"{OWN.started}1"), 0, True),
        (True, on(OWN.host, started=f"{OWN.started}1", space="another/space"), 0.5, False),
        (True, on(OWN.host, started=f"{OWN.started}1", space=""), 0.5, False),
        (True, on("another-host", space="another/space"), 0.5, False),
        (True, on("another-host", space="another/space"), 1.5, True),
        (True, "", 0, True),  # it gave up
    ],
    ids=[
        "young",
        "old",
        "it lives",
        "its process is gone",
        "another machine of the same name",
        "it does not say where",
        "on another host",
        "on another host, long ago",
        "gave up",
    ],
)
def test_who_is_gone(deletes, holder, hours, gone):
    assert Reservation(deletes, holder).gone(NOW - timedelta(hours=hours), NOW) is gone


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path)


def test_a_mark_that_cannot_be_read_is_that_of_a_writer(store):
    assert read_mark(store, KEYS) is None
    for data in (b"no json", b"[]", b'{"deletes": "yes"}'):
        store.put(KEYS.reservation, data)
        assert not read_mark(store, KEYS).deletes
        assert not Deletion(store, KEYS, "x").take()
        with pytest.raises(UsageError, match="by another run"):
            reserve(store, KEYS, "/work/of-a-run")


def test_a_deletion_that_gives_up_frees_the_name_only_for_the_next_deletion(store):
    first, second = Deletion(store, KEYS, "1"), Deletion(store, KEYS, "2")
    assert first.take()
    assert not second.take()
    first.give_up()
    with pytest.raises(UsageError, match="by another run"):
        reserve(store, KEYS, "/work/of-a-run")  # half of a backup is there
    assert second.take()
    assert (first.held, second.held) == (False, True)
    first.let_go()
    first.give_up()
    assert second.held  # who has lost the mark takes it from nobody
    assert orjson.loads(store.get(KEYS.reservation))["deletes"] is True
    second.let_go()
    reserve(store, KEYS, "/work/of-a-run")


# --- a writer


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.cluster)])
def both(request, tmp_path):
    """A store of each kind."""
    if request.param == "local":
        yield LocalStore(tmp_path)
        return
    store = open_store(request.getfixturevalue("bucket_url"))
    yield store
    store.delete([entry.key for entry in store.list()])


@pytest.fixture
def later(monkeypatch):
    """Let time pass for whoever looks at a clock: `later(hours=2)`."""
    gone, now = timedelta(0), clock.now

    def pass_by(**span):
        nonlocal gone
        gone += timedelta(**span)

    monkeypatch.setattr(clock, "now", lambda: now() + gone)
    for kind in (LocalStore, S3Store):
        monkeypatch.setattr(kind, "clock", lambda self, real=kind.clock: real(self) + gone)
    return pass_by


def until(holds):
    """Wait until it holds; the runner ends what never does."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def modified(store):
    return next(entry.modified for entry in store.list(KEYS.folder) if entry.key == KEYS.reservation)


def test_a_swap_is_of_what_was_read_and_one_of_many_wins(both):
    both.put("a", b"old")
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: both.swap("a", b"old", f"new {n}".encode()), range(16)))
    assert won.count(True) == 1
    assert both.get("a") == f"new {won.index(True)}".encode()
    assert not both.swap("a", b"old", b"other")
    assert not both.swap("none", b"old", b"new")
    assert not both.swap("none", b"old", b"old")
    assert not both.swap("a", b"old", b"old")
    assert [entry.key for entry in both.list()] == ["a"]


def test_a_swap_of_the_same_gives_a_new_time_and_nothing_else(both):
    both.put("a", b"same")
    (before,) = both.list()
    until(lambda: both.swap("a", b"same", b"same") and next(both.list()).modified > before.modified)
    assert both.get("a") == b"same"


def test_a_renewal_leaves_alone_what_another_run_wrote_at_that_moment(tmp_path, monkeypatch):
    """Between the look and the writing: in a folder it is the file that was read which gets a new time."""
    store = LocalStore(tmp_path)
    store.put("a", b"mine")
    real = os.utime

    def taken_over(*given):
        (tmp_path / "a").unlink()
        store.put("a", b"another's")
        real(tmp_path / "a", (0, 0))
        real(*given)

    monkeypatch.setattr(os, "utime", taken_over)
    assert not store.swap("a", b"mine", b"mine")
    assert (store.get("a"), (tmp_path / "a").stat().st_mtime) == (b"another's", 0)


def test_an_upload_that_takes_hours_keeps_its_name(both, monkeypatch):
    monkeypatch.setattr(reservations, "RENEWAL", timedelta(seconds=0.05))
    with reserved(both, KEYS, "/work/long") as writing:
        began = modified(both)
        until(lambda: modified(both) > began)
        monkeypatch.setattr(reservations, "ABANDONED", timedelta(minutes=10))
        for _ in range(3):
            with pytest.raises(UsageError, match="by another run"):
                reserve(both, KEYS, "/work/other")
            assert not Deletion(both, KEYS, "x").take()
        writing.check(ask=True)
    assert list(both.list("backups/")) == []


def test_an_hour_without_a_renewal_frees_a_name(both, later):
    reserve(both, KEYS, "/work/dead")
    later(minutes=59)
    with pytest.raises(UsageError, match="by another run"):
        reserve(both, KEYS, "/work/other")
    later(minutes=2)
    reserve(both, KEYS, "/work/other")


def test_of_many_who_find_a_dead_run_at_once_one_gets_its_name(both, monkeypatch):
    found = Barrier(8, timeout=60)
    monkeypatch.setattr(
        reservations, "_abandoned", lambda *given: given[2].holder == "/work/dead" and found.wait() >= 0
    )
    reserve(both, KEYS, "/work/dead")

    def take(number):
        try:
            reserve(both, KEYS, f"/work/{number}")
        except UsageError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(take, range(8)))
    assert won.count(True) == 1
    assert orjson.loads(both.get(KEYS.reservation))["holder"] == f"/work/{won.index(True)}"


def test_how_old_a_reservation_is_is_told_by_the_clock_of_the_store(both, monkeypatch):
    """Two hours ahead, this machine would take the name from a run that is at work."""
    real = clock.now
    reserve(both, KEYS, "/work/alive")
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(hours=2))
    with pytest.raises(UsageError, match="by another run"):
        reserve(both, KEYS, "/work/other")


def test_who_lost_the_name_writes_nothing_more_and_leaves_it_to_the_other(both, later):
    """Its machine slept for two hours: no thread of it ran."""
    with reserved(both, KEYS, "/work/asleep") as writing:
        writing.check()
        later(hours=2)
        reserve(both, KEYS, "/work/other")
        for _ in range(2):
            with pytest.raises(
                PermanentError, match=r"another run has taken its name.*nothing more is written"
            ) as caught:
                writing.check()
        assert "\n" not in str(caught.value)
    assert orjson.loads(both.get(KEYS.reservation))["holder"] == "/work/other"


def test_who_slept_and_lost_nothing_goes_on(both, later):
    with reserved(both, KEYS, "/work/asleep") as writing:
        before = modified(both)
        later(hours=2)
        until(lambda: (later(hours=1), writing.check(), modified(both) > before)[-1])
    assert list(both.list("backups/")) == []


def test_who_takes_a_name_just_when_its_run_wakes_does_not_get_it_too(both, later):
    """It has read the reservation and found it old; then its run renews it, and goes on."""
    with reserved(both, KEYS, "/work/asleep") as writing:
        read = both.get(KEYS.reservation)
        later(hours=2)
        writing.check()
        assert not both.swap(KEYS.reservation, read, b"another's")
        writing.check(ask=True)


def test_a_renewal_whose_answer_is_lost_is_still_ours(both, later, monkeypatch):
    real = type(both).swap

    def lost(self, key, old, new):
        real(self, key, old, new)
        raise StoreUnavailableError("no answer")

    with reserved(both, KEYS, "/work/asleep") as writing:
        later(hours=2)
        with monkeypatch.context() as patch:
            patch.setattr(type(both), "swap", lost)
            with pytest.raises(StoreUnavailableError):
                writing.check()
        writing.check()
        writing.check(ask=True)
    assert list(both.list("backups/")) == []


@pytest.mark.parametrize("size", [5, 3 * PART])
def test_an_upload_stops_before_its_next_part(both, tmp_path, size):
    """Of what it sent until then nothing is left, and what was under the key before is still there."""
    both.put("a", b"before")
    (tmp_path / "file").write_bytes(bytes(size))
    calls = []

    def check():
        calls.append(size)
        if len(calls) > size // PART:
            raise PermanentError("lost")

    with pytest.raises(PermanentError, match="lost"):
        both.put_file("a", tmp_path / "file", check)
    assert both.get("a") == b"before"
    assert [entry.key for entry in both.list("a")] == []
    assert {entry.key for entry in both.list()} <= {"a", "file"}


def test_of_two_deletions_that_find_a_dead_one_only_one_goes_on(both):
    both.put(KEYS.reservation, orjson.dumps({"holder": "", "deletes": True}))
    some = [Deletion(both, KEYS, str(number)) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda each: each.take(), some)).count(True) == 1
    assert [each.held for each in some].count(True) == 1


def test_a_late_caller_never_frees_a_name_for_a_third_one(tmp_path):
    """Of many who want to replace the same content, or find no content, one ever succeeds; 60 rounds of it."""
    for number in range(60):
        store, start = LocalStore(tmp_path / str(number)), Barrier(8, timeout=60)
        store.put("a", b"old")

        def take(caller, store=store, start=start):
            start.wait()
            for _ in range(5):
                try:
                    if store.put_new("a", caller) or store.swap("a", b"old", caller):
                        return True
                    if store.get("a") != b"old":
                        return False
                except KeyMissingError:
                    continue
            return False

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(take, (b"%d" % each for each in range(8))))
        assert won.count(True) == 1
        assert store.get("a") == b"%d" % won.index(True)
