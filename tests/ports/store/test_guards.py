"""What is written first, and what is looked at again: journals, marks and probes in a real folder."""

import os
import time
from datetime import timedelta
from types import SimpleNamespace

import orjson
import pytest

from kubeferry.tasks.core.errors import DamagedError, StoreError
from kubeferry.tasks.core.formats.journal import Header, Target
from kubeferry.tasks.core.formats.layout import BackupKeys, RestoreKeys
from kubeferry.tasks.core.formats.manifest import Manifest, Source, digest
from kubeferry.tasks.core.formats.migration import End
from kubeferry.tasks.core.formats.migration import Header as MigrationHeader
from kubeferry.tasks.core.formats.migration import Source as Migrated
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.formats.velero_backup import backup_object
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options_maintenance import PruneOptions
from kubeferry.tasks.maintain.prune import judged, removed
from kubeferry.tasks.migrate.begin import backup_to_make
from kubeferry.tasks.ports.archive import gzip
from kubeferry.tasks.ports.archive.encryption import opener
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.records.journal import Journal
from kubeferry.tasks.ports.records.migrations import begin, write_end, write_source
from kubeferry.tasks.ports.records.reservations import Deletion
from kubeferry.tasks.ports.records.restores import open_restore
from kubeferry.tasks.ports.store.local import LocalStore

NOW = clock.now()
KEYS = RestoreKeys("r")
TOKEN = Ref("", "Secret", "shop", "token")
LIVE = {"metadata": {"name": "token", "uid": "u"}, "data": {"a": "b"}}
OTHER = {"metadata": {"name": "token", "uid": "v"}, "data": {"a": "of another"}}


class Writes(LocalStore):
    """Remembers what was written, in order; dies after some of it, where it is asked to."""

    def __init__(self, root):
        super().__init__(root)
        self.written, self.last = [], None

    def put(self, key, data):
        self._write(key, lambda: super(Writes, self).put(key, data))

    def put_new(self, key, data):
        return self._write(key, lambda: super(Writes, self).put_new(key, data))

    def _write(self, key, write):
        if self.last is not None and len(self.written) >= self.last:
            raise StoreError("killed here")
        self.written.append(key)
        return write()


@pytest.fixture
def store(tmp_path):
    return Writes(tmp_path / "store")


# --- journals


def header(store):
    target = Target(context="a", host="https://a")
    asked = {"token": "0123456789ab", "backup": "b", "target": target, "namespaces": {}, "options": {}}
    store.put_new(KEYS.header, Header(name="r", started=NOW, **asked).model_dump_json().encode())


def test_what_an_object_was_is_in_the_store_before_the_journal_names_it(store):
    """Killed between the two, there is a file that nobody names; the other way round, a name without its file."""
    header(store)
    journal = Journal(store, KEYS, 0)
    journal.keep(1, "update", TOKEN, LIVE)
    journal.close()
    former = open_restore(store, "r").state.formers[TOKEN]
    assert store.written.index(KEYS.former(former.file)) < store.written.index(KEYS.segment(1))


def test_a_restore_that_cannot_keep_what_an_object_was_does_not_announce_its_change(store):
    header(store)
    journal = Journal(store, KEYS, 0)
    store.last = len(store.written)
    with pytest.raises(StoreError, match="killed here"):
        journal.keep(1, "update", TOKEN, LIVE)
    journal.close()
    assert open_restore(store, "r").state.formers == {}


def test_previous_content_of_another_object_is_not_restored(store):
    header(store)
    journal = Journal(store, KEYS, 0)
    journal.keep(1, "update", TOKEN, LIVE)
    journal.close()
    found = open_restore(store, "r")
    former = found.state.formers[TOKEN]
    assert found.former(former, opener([])) == LIVE
    store.put(KEYS.former(former.file), gzip.compress(orjson.dumps(OTHER) + b"\n"))
    with pytest.raises(DamagedError, match=r"previous contents is damaged|holds another object"):
        found.former(former, opener([]))


# --- probes


def test_a_store_that_gives_back_something_else_than_was_written_is_found_out_before_a_backup(store, monkeypatch):
    monkeypatch.setattr(store, "get", lambda _: b"something else")
    with pytest.raises(StoreError, match="the content read back differs from what was written"):
        store.check_writable()
    monkeypatch.undo()
    assert list(store.list()) == []


# --- prune


def add(store, name, age):
    """Store a backup that was made `age` days ago."""
    keys, started = BackupKeys(name), NOW - age * timedelta(days=1)
    manifest = Manifest(
        name=name,
        kubeferry="0.1.0",
        created=started,
        source=Source(uid="u", version="v1.36.1", context="a", host="h"),
        revision="7",
        namespaces=["shop"],
        phase=Phase.COMPLETED,
        counts={},
        objects={},
        files={keys.tarball: digest(b"an archive")},
    )
    store.put(keys.tarball, b"an archive")
    packed = gzip.compress(manifest.model_dump_json().encode())
    store.put(keys.manifest, packed)
    store.put(keys.metadata, orjson.dumps(backup_object(manifest, digest(packed).sha256, started, started)))
    return keys


@pytest.fixture
def two(store, monkeypatch):
    """A store with an old backup and a new one; what would be deleted of it, where only the last is kept."""
    monkeypatch.setattr("kubeferry.tasks.maintain.prune.open_store", lambda _: store)
    asked = PruneOptions(store=store.url, keep_last=1)
    add(store, "new", 1)
    return add(store, "old", 2), asked


def test_who_lost_the_mark_of_a_backup_deletes_no_more_of_it(store, two, monkeypatch):
    """Its machine was away for an hour: another run has taken the mark, and may write a backup of that name by now."""
    keys, asked = two
    seen, real = judged(asked), LocalStore.delete

    def delete(self, some):
        real(self, some)
        if keys.metadata in some:
            real(self, [keys.reservation])
            assert Deletion(self, keys, "another").take()

    monkeypatch.setattr(LocalStore, "delete", delete)
    result = removed(asked, seen)
    assert [(each.what, each.why) for each in result.left] == [("backup old", "another run is at work there")]
    assert store.exists(keys.tarball)


@pytest.mark.parametrize(("ends", "kept"), [([], True), (["shop"], True), (["shop", "bank"], False)])
def test_the_backup_of_a_migration_stays_until_all_its_namespaces_are_done(store, two, ends, kept):
    _, asked = two
    begin(store, MigrationHeader(name="m", started=NOW, options={}))
    write_source(store, "m", Migrated(backup="old", cluster="a", namespaces={"shop": "shop", "bank": "bank"}))
    write_end(store, "m", End(namespace="bank", into="bank", phase=Phase.FAILED))
    for each in ends:
        write_end(store, "m", End(namespace=each, into=each, phase=Phase.PARTIAL))
    (old,) = [each for each in judged(asked).judged if each.name == "old"]
    assert (old.keep, "migration m of it is not finished" in old.why) == (kept, kept)


def test_a_migration_that_begins_again_leaves_what_its_first_try_left_of_a_backup(store, monkeypatch):
    monkeypatch.setattr("kubeferry.tasks.migrate.begin.open_store", lambda _: store)
    made = SimpleNamespace(name="m", options=SimpleNamespace(store=store.url))
    assert backup_to_make(made) == "m"
    store.put(BackupKeys("m").tarball, b"half")
    store.put(BackupKeys("m.2").reservation, b"{}")
    assert backup_to_make(made) == "m.3"


def test_one_whose_archive_was_cut_short_is_not_the_last_good_one(store, two):
    """The newest is not whole: what is judged to be deleted is not the one that still can be restored."""
    _, asked = two
    store.put(BackupKeys("new").tarball, b"an arch")
    found = {each.name: each for each in judged(asked).judged}
    assert "does not have the size in the manifest" in found["new"].why
    assert found["old"].keep


@pytest.mark.usefixtures("two")
def test_what_is_kept_of_an_old_restore_and_cannot_be_read_stays(store):
    header(store)
    journal = Journal(store, KEYS, 0)
    journal.end("Completed")
    journal.close()
    when = time.time() - 40 * 86400
    for path in (store.root / "restores").rglob("*"):
        os.utime(path, (when, when))
    asked = PruneOptions(store=store.url, restores_within="30d")
    assert {each.name for each in judged(asked).judged if each.what == "restore"} == {"r"}
    store.put(KEYS.header, b"no json")
    os.utime(store.root / KEYS.header, (when, when))
    assert [each.name for each in judged(asked).judged if each.what == "restore"] == []
