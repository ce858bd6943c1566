"""How it went with a namespace of a migration or a populate: nothing is lost on the way to the result."""

import asyncio
from types import SimpleNamespace

import pytest

import kubeferry.tasks.migrate.begin
import kubeferry.tasks.migrate.populate
from kubeferry.tasks.core.errors import DamagedError, KubeferryError, PermanentError, UsageError
from kubeferry.tasks.core.formats.journal import Header, Target
from kubeferry.tasks.core.formats.layout import RestoreKeys
from kubeferry.tasks.core.formats.migration import SHARED, End, Source
from kubeferry.tasks.core.formats.migration import Header as MigrationHeader
from kubeferry.tasks.core.formats.records import Phase, Problem
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options_migration import MigrateOptions, PopulateOptions
from kubeferry.tasks.core.models.results import BackupResult, RestoreResult
from kubeferry.tasks.migrate.begin import MigrationWork, note_source
from kubeferry.tasks.migrate.dispatch import Dispatch
from kubeferry.tasks.migrate.finish import lost, migrated
from kubeferry.tasks.migrate.namespace import begun, end_of, note_end
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.records.journal import Journal
from kubeferry.tasks.ports.records.migration_lease import MigrationLease
from kubeferry.tasks.ports.records.migrations import StoredMigration, read_end
from kubeferry.tasks.ports.records.migrations import begin as begin_migration
from kubeferry.tasks.ports.store.local import LocalStore

NOW = clock.now()
PROOF = "0" * 64
GAP = Problem(what="widgets.example.com in shop", why="forbidden")
WIDE = Problem(what="gadgets.example.com", why="stale")
OTHER = Problem(what="widgets.example.com in bank", why="forbidden")
LATE = Problem(what="Secret shop2/token", why="was restored and is not there any more")


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path)


def result(phase=Phase.COMPLETED, **more):
    fields = {"counts": {"Secret": 2}, "actions": {"created": 2}, "namespaces": {"shop": "shop2"}}
    where = {"name": "m.shop", "store": "file:///s", "backup": "b", "cluster": "b"}
    return RestoreResult(phase=phase, started=NOW, completed=NOW, **where, **(fields | more))


@pytest.fixture
def migrating(store):
    """A migration of two namespaces, of which the source could not read all; it restores nothing."""
    unread = {"": [WIDE], "shop": [GAP], "bank": [OTHER]}
    source = Source(
        backup="b", manifest=PROOF, cluster="a", namespaces={"shop": "shop2", "bank": "bank"}, unread=unread
    )

    def restore(options, space, stored):
        return SimpleNamespace(name=options.name or options.resume, options=options, space=space, resumed=stored)

    return SimpleNamespace(
        name="m",
        source=source,
        options=MigrateOptions(namespaces=["shop", "bank"], from_context="a", to_context="b"),
        backup=SimpleNamespace(store=store),
        target=lambda: SimpleNamespace(name="b"),
        restore=restore,
    )


def kept(store, name, end, **more):
    """Keep the journal of a restore that made one Secret; `end` is "" for one that was killed."""
    target = Target(context="b", host="https://b")
    asked = {"token": "0123456789ab", "backup": "b", "manifest": PROOF, "target": target}
    asked |= {"namespaces": {}, "options": {}, **more}
    header = Header(name=name, started=NOW, **asked)
    keys = RestoreKeys(name)
    store.put_new(keys.header, header.model_dump_json().encode())
    journal = Journal(store, keys, 0)
    journal.did(1, "created", Ref("", "Secret", "shop2", "token"), "u")
    if end:
        journal.end(end)
        journal.close()
        return
    journal.flush()  # and that is all: killed


# --- a migration


def test_what_the_source_could_not_read_of_a_namespace_makes_its_part_partial(migrating):
    end = end_of(migrating, "shop", result())
    assert (end.phase, end.problems, end.into) == (Phase.PARTIAL, [WIDE, GAP], "shop2")
    end = end_of(migrating, "shop", result(Phase.PARTIAL, problems=[LATE]))
    assert (end.phase, end.problems) == (Phase.PARTIAL, [WIDE, GAP, LATE])
    shared = end_of(migrating, SHARED, result())
    assert (shared.phase, shared.problems) == (Phase.COMPLETED, [])


def test_a_part_that_failed_stays_failed_and_counts_nothing(migrating):
    end = end_of(migrating, "shop", result(Phase.FAILED, error="no more"))
    assert (end.phase, end.error, end.objects, end.counts) == (Phase.FAILED, "no more", 0, {})
    assert end.restore == "m.shop"  # it has written something, which show and undo take
    assert end_of(migrating, "shop", result(Phase.FAILED, error="no", actions={}, counts={})).restore == ""


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [
        (Phase.COMPLETED, Phase.FAILED, Phase.COMPLETED),
        (Phase.PARTIAL, Phase.FAILED, Phase.PARTIAL),
        (Phase.FAILED, Phase.COMPLETED, Phase.COMPLETED),
        (Phase.FAILED, Phase.FAILED, Phase.FAILED),
    ],
)
def test_a_failure_never_takes_the_place_of_another_process_s_success(migrating, store, first, second, left):
    for number, phase in enumerate((first, second)):
        note_end(migrating, End(namespace="shop", into="shop2", phase=phase, objects=number))
    assert read_end(store, "m", "shop").phase is left


@pytest.mark.parametrize("ended", ["Completed", "Partial"])
def test_what_ended_just_before_its_process_died_is_not_restored_again(migrating, store, ended):
    kept(store, "m.shop", ended)
    end = begun(migrating, "shop")
    assert (end.phase.value, end.restore, end.into, end.counts) == (ended, "m.shop", "shop2", {"Secret": 1})


def test_a_part_that_was_rolled_back_is_restored_again_under_another_name(migrating, store):
    assert begun(migrating, "shop").name == "m.shop"
    for name, end in (("m.shop", "RolledBack"), ("m.shop.2", "Undone")):
        kept(store, name, end)
    assert begun(migrating, "shop").name == "m.shop.3"


@pytest.mark.parametrize("end", ["", "Stopped", "Failed"])
def test_a_part_that_did_not_come_to_its_end_is_taken_up(migrating, store, end):
    kept(store, "m.bank", end)
    made = begun(migrating, "bank")
    assert (made.name, made.resumed.header.name, made.resumed.state.end) == ("m.bank", "m.bank", end)


def backed_up(*problems):
    phase = Phase.PARTIAL if problems else Phase.COMPLETED
    where = {"name": "b", "store": "file:///s", "cluster": "a", "namespaces": ["shop", "bank"], "revision": "7"}
    return BackupResult(phase=phase, started=NOW, completed=NOW, counts={}, bytes=1, problems=list(problems), **where)


def test_a_part_that_began_with_another_backup_of_that_name_is_not_taken_up(migrating, store):
    kept(store, "m.bank", "", manifest="1" * 64)
    with pytest.raises(DamagedError, match="began with another backup"):
        begun(migrating, "bank")


def test_problems_of_the_backup_and_absent_namespaces_are_noted_with_the_source(store, monkeypatch):
    opened = SimpleNamespace(summary=SimpleNamespace(manifest_sha256=PROOF))
    monkeypatch.setattr(kubeferry.tasks.migrate.begin, "open_backup", lambda *_: opened)
    header = MigrationHeader(name="m", started=NOW, options={})
    begin_migration(store, header)
    options = MigrateOptions(namespaces=["shop", "bank", "gone"], from_context="a", to_context="b", store=store.url)
    lease = MigrationLease(store, "m", "1")
    made = MigrationWork(options, StoredMigration(header, None), {"shop": "shop2", "bank": "bank"}, lease)
    lease.release()
    made.absent = {"gone": "namespace gone does not exist"}
    source = asyncio.run(note_source.__wrapped__(made, backed_up(GAP, WIDE)))
    assert source.manifest == PROOF
    assert (source.unread, source.absent) == ({"shop": [GAP], "": [WIDE]}, made.absent)
    with pytest.raises(UsageError, match="namespace gone does not exist"):
        asyncio.run(note_source.__wrapped__(made, None))


def test_a_namespace_that_is_not_there_makes_a_migration_partial(migrating):
    absent = {"gone": "namespace gone does not exist"}
    migrating.source = migrating.source.model_copy(update={"absent": absent})
    ends = [End(namespace="shop", into="shop2", phase=Phase.COMPLETED, counts={"Secret": 2}, objects=2)]
    whole = migrated(migrating, ends, NOW)
    assert (whole.phase, whole.counts) == (Phase.PARTIAL, {"Secret": 2})
    assert {each.namespace: (each.phase, each.error) for each in whole.namespaces} == {
        "shop": (Phase.COMPLETED, ""),
        "gone": (Phase.FAILED, absent["gone"]),
    }


def test_what_a_part_raises_is_its_end_in_words(migrating):
    end = lost(migrating, "shop", ValueError("no such thing"), NOW)
    assert (end.phase, end.into, end.error) == (Phase.FAILED, "shop2", "unexpected ValueError: no such thing")
    known = End(namespace="shop", into="shop2", phase=Phase.FAILED, error="reported before", problems=[GAP])
    error = KubeferryError("as reported")
    error.result = known
    assert lost(migrating, "shop", error, NOW) == known


def flow_run(name, message):
    return SimpleNamespace(name="brave-run", state=SimpleNamespace(name=name, message=message))


def test_a_flow_run_that_ends_without_a_word_has_failed_whatever_prefect_says(migrating, store):
    """It writes its word itself: a worker that crashed may leave any state."""
    dispatch = Dispatch(migrating, None)
    end = asyncio.run(dispatch._end("shop", flow_run("Completed", "")))
    assert (end.phase, end.into, end.error) == (Phase.FAILED, "shop2", "its flow run brave-run ended as Completed")
    end = asyncio.run(dispatch._end("shop", flow_run("Crashed", "out of memory")))
    assert end.error == "its flow run brave-run ended as Crashed: out of memory"
    ended = End(namespace="shop", into="shop2", phase=Phase.PARTIAL, problems=[GAP])
    note_end(migrating, ended)
    assert asyncio.run(dispatch._end("shop", flow_run("Crashed", ""))) == ended
    assert read_end(store, "m", "bank") is None


# --- a populate


@pytest.fixture
def asked(store, monkeypatch):
    """Populate one namespace of backup `b`, which the cluster has; `asked.gone` says that it has it no more."""
    options = PopulateOptions(backup="b", into=[{"name": "ten"}], name="run", store=store.url)
    template = SimpleNamespace(backup=SimpleNamespace(store=store, proof=lambda _: PROOF), work=None)
    made = SimpleNamespace(options=options, gone=False)
    monkeypatch.setattr(kubeferry.tasks.migrate.populate, "connect", lambda *_: None)
    monkeypatch.setattr(kubeferry.tasks.migrate.populate, "there", lambda _, names: [] if made.gone else names)
    made.begun = lambda: kubeferry.tasks.migrate.populate.begun(options, template, "shop", options.into[0])
    return made


@pytest.mark.parametrize("ended", ["Completed", "Partial"])
def test_a_namespace_that_an_earlier_run_made_is_left_unless_it_is_gone(asked, store, ended):
    kept(store, "run.ten", ended)
    found = asked.begun()
    end = kubeferry.tasks.migrate.populate.ended("shop", "ten", found)
    assert (end.phase.value, end.restore, end.counts) == (ended, "run.ten", {"Secret": 1})
    asked.gone = True
    assert asked.begun().name == "run.ten.2"


def test_a_namespace_that_another_backup_made_is_no_success_of_this_one(asked, store):
    kept(store, "run.ten", "Completed", backup="yesterday")
    with pytest.raises(UsageError, match=r"restore run\.ten made it with other parameters"):
        asked.begun()


def test_a_namespace_that_another_backup_of_that_name_made_is_no_success_of_this_one(asked, store):
    kept(store, "run.ten", "Completed", manifest="1" * 64)
    with pytest.raises(UsageError, match=r"restore run\.ten made it of another backup than what b is now"):
        asked.begun()


def test_a_namespace_that_was_rolled_back_is_made_again_and_one_that_was_cut_off_is_resumed(asked, store):
    assert asked.begun().name == "run.ten"
    kept(store, "run.ten", "RolledBack")
    assert asked.begun().name == "run.ten.2"
    kept(store, "run.ten.2", "")
    assert asked.begun().resume == "run.ten.2"


def test_problems_of_a_restore_are_those_of_its_namespace():
    end = kubeferry.tasks.migrate.populate.end_of("shop", "ten", result(Phase.PARTIAL, problems=[LATE]))
    assert (end.phase, end.problems, end.objects) == (Phase.PARTIAL, [LATE], 2)
    error = PermanentError("no more")
    error.result = result(Phase.FAILED, error="no more")
    end = kubeferry.tasks.migrate.populate.failed_end("shop", "ten", error, NOW)
    assert (end.phase, end.error, end.restore, end.actions) == (Phase.FAILED, "no more", "m.shop", {"created": 2})
