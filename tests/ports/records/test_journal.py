"""The journal, written into a real folder."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import orjson
import pytest

from kubeferry.tasks.core.errors import BackupNotFoundError, ConflictError, DamagedError, PermanentError, StoreError
from kubeferry.tasks.core.formats.journal import LOSSES, Header, Target
from kubeferry.tasks.core.formats.layout import RestoreKeys
from kubeferry.tasks.core.formats.losses import Loss
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.ports.archive.encryption import opener
from kubeferry.tasks.ports.archive.spool import Spool
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.records.journal import Journal
from kubeferry.tasks.ports.records.restores import open_restore, restores
from kubeferry.tasks.ports.store.local import LocalStore

KEYS = RestoreKeys("r")
TOKEN = Ref("", "Secret", "shop", "token")


def some(number):
    return Ref("", "ConfigMap", "shop", f"c{number}")


@pytest.fixture
def store(tmp_path):
    made = LocalStore(tmp_path)
    target = Target(context="a", host="https://a")
    header = Header(
        name="r", token="0123456789ab", backup="b", target=target, namespaces={}, started=clock.now(), options={}
    )
    made.put_new(KEYS.header, header.model_dump_json().encode())
    return made


@pytest.fixture
def journal(store):
    made = Journal(store, KEYS, 0)
    yield made
    made.close()


def state(store):
    return open_restore(store, "r").state


def test_what_is_announced_is_in_the_store_at_once(store, journal):
    journal.will_create(3, [some(1), some(2)])
    assert state(store).doubtful == {some(1): 3, some(2): 3}


def test_what_many_threads_did_is_there_after_a_flush(store, journal):
    journal.will_create(1, map(some, range(500)))
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: journal.did(1, "created", some(n), f"u{n}"), range(500)))
    journal.flush()
    found = open_restore(store, "r")
    assert {ref: made.uid for ref, made in found.state.created.items()} == {some(n): f"u{n}" for n in range(500)}
    assert found.segments < 20  # gathered, not one file an object


def test_previous_contents_are_beside_it_and_not_in_it(store, journal):
    lives = [{"metadata": {"name": f"c{n}", "uid": f"u{n}"}, "data": {"a": f"marked-{n}"}} for n in range(40)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: journal.keep(n % 3, ("update", "merge")[n % 2], some(n), lives[n]), range(40)))
    found = open_restore(store, "r")
    assert [found.former(found.state.formers[some(n)], opener([])) for n in range(40)] == lives
    assert {(former.level, former.action) for former in found.state.formers.values()} >= {(0, "update"), (1, "merge")}
    for entry in store.list(KEYS.journal):
        assert b"marked" not in store.get(entry.key)


def test_the_content_before_the_first_change_is_the_one_that_is_given_back(store, tmp_path):
    """Also of the process that changed it twice, and of one that went on with a restore which had changed it."""
    first, second = ({"metadata": {"name": "c1", "uid": "u1"}, "data": {"a": each}} for each in ("one", "two"))
    with closing(Journal(store, KEYS, 0, spool=Spool(tmp_path / "spool"))) as journal:
        journal.keep(1, "update", some(1), first)
        journal.keep(1, "patch", some(1), second)
        assert journal.previous(some(1)) == first
    found = open_restore(store, "r")
    with closing(
        Journal(store, KEYS, found.segments, spool=Spool(tmp_path / "more"), earlier=found.state.formers)
    ) as journal:
        journal.keep(1, "patch", some(1), second)
        journal.keep(1, "patch", some(2), second)
        assert (journal.previous(some(1)), journal.previous(some(2))) == (None, second)
    again = open_restore(store, "r")
    assert again.former(again.state.formers[some(1)], opener([])) == first


def test_two_processes_cannot_go_on_with_one_restore(store, journal):
    journal.begin("first")
    other = Journal(store, KEYS, 1)
    other.begin("second")
    with pytest.raises(ConflictError, match="another process has resumed restore r: this one stops"):
        journal.will_create(1, [TOKEN])
    with pytest.raises(ConflictError):  # and it stays so
        journal.did(1, "created", TOKEN, "u")
    other.close()


def test_a_store_that_refuses_stops_the_restore(store, journal, monkeypatch):
    def full(*_):
        raise StoreError("the disk is full")

    monkeypatch.setattr(store, "put_new", full)
    with pytest.raises(StoreError, match="the disk is full"):
        journal.will_create(1, [TOKEN])


def test_what_ends_without_a_word_was_stopped(store):
    journal = Journal(store, KEYS, 0)
    journal.did(1, "created", TOKEN, "u")
    assert journal.close()
    found = state(store)
    assert (found.end, found.created[TOKEN].uid) == ("Stopped", "u")
    with pytest.raises(PermanentError, match="was stopped"):
        journal.did(1, "created", TOKEN, "u")
    with pytest.raises(PermanentError, match="was stopped"):
        journal.flush()


def test_what_ended_has_one_end(store):
    journal = Journal(store, KEYS, 0)
    journal.end("Completed")
    assert not journal.close()
    assert state(store).end == "Completed"


def test_what_is_not_as_it_was_is_in_it_however_much(store, journal):
    losses = [Loss(object=f"ConfigMap shop/c{number}", code="other", why="w") for number in range(LOSSES * 2 + 1)]
    journal.end("Partial", losses=losses)
    found = open_restore(store, "r").state
    assert (found.end, found.losses) == ("Partial", losses)
    journal.close()
    for each in store.list():
        if each.key.endswith(".jsonl"):
            assert all(len(orjson.loads(line).get("losses", [])) <= LOSSES for line in store.get(each.key).splitlines())


def test_a_journal_grows_while_it_is_read(store, journal):
    journal.will_create(1, [some(1)])
    before = open_restore(store, "r")
    journal.will_create(1, [some(2)])
    assert (before.segments, open_restore(store, "r").segments) == (1, 2)


def test_a_gap_is_damage(store, journal):
    journal.will_create(1, [some(1)])
    journal.will_create(1, [some(2)])
    store.delete([KEYS.segment(1)])
    with pytest.raises(DamagedError, match="segment 1 of its journal is missing"):
        open_restore(store, "r")
    assert [str(each) for each in restores(store)] == ["restore r: segment 1 of its journal is missing"]


def test_previous_contents_that_are_others_are_damage(store, journal):
    journal.keep(1, "update", TOKEN, {"metadata": {"uid": "u", "name": "token"}})
    found = open_restore(store, "r")
    where = found.state.formers[TOKEN]
    store.put(KEYS.former(where.file), b"no gzip")
    with pytest.raises(DamagedError, match="previous contents is damaged"):
        found.former(where, opener([]))
    store.delete([KEYS.former(where.file)])
    with pytest.raises(DamagedError, match="previous contents is missing"):
        found.former(where, opener([]))


def test_no_restore_of_that_name(store):
    with pytest.raises(BackupNotFoundError, match="no restore other in file:"):
        open_restore(store, "other")
