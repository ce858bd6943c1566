"""When the mark on a name is that of a process which is gone: by the process where it can be asked, else by time."""

from datetime import timedelta

import orjson
import pytest

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.layout import BackupKeys
from kubeferry.tasks.core.formats.lease import Holder
from kubeferry.tasks.ports.cluster.leases import me
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.records.reservations import Deletion, Reservation, read_mark, reserve
from kubeferry.tasks.ports.store.local import LocalStore

NOW = clock.now()
OWN = me("prune x")
KEYS = BackupKeys("b")


def on(host, pid=OWN.pid, started=OWN.started):
    return Holder("prune x", host, pid, started).text()


@pytest.mark.parametrize(
    ("deletes", "holder", "hours", "gone"),
    [
        (False, "/work/of-a-run", 23, False),
        (False, "/work/of-a-run", 25, True),
        (True, on(OWN.host), 100, False),  # it lives: however long it takes
        (True, on(OWN.host, started="another start"), 0, True),
        (True, on("another-host"), 0.5, False),
        (True, on("another-host"), 1.5, True),
        (True, "", 0, True),  # it gave up
    ],
    ids=["young", "old", "it lives", "its process is gone", "on another host", "on another host, long ago", "gave up"],
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
