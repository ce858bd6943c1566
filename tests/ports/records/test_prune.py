"""Prune removes from real stores exactly what it decided on, whoever writes, deletes or dies there meanwhile."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import orjson
import pytest

from kubeferry.tasks.core.errors import ConflictError, StoreError
from kubeferry.tasks.core.formats.journal import Header, Target
from kubeferry.tasks.core.formats.layout import BackupKeys, RestoreKeys
from kubeferry.tasks.core.formats.manifest import Encryption, Manifest, Selected, Source, digest, divided
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.formats.velero_backup import backup_object
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options_maintenance import PruneOptions
from kubeferry.tasks.maintain.prune import judged, removed
from kubeferry.tasks.ports.archive import gzip
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.records.backups import open_backup
from kubeferry.tasks.ports.records.journal import Journal
from kubeferry.tasks.ports.records.reservations import Deletion, reserve
from kubeferry.tasks.ports.store.open import open_store

NOW = clock.now()
DAY = timedelta(days=1)
ARCHIVE = b"an archive"


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBEFERRY_HOME", str(tmp_path / "home"))


@pytest.fixture
def local(tmp_path):
    return open_store((tmp_path / "store").as_uri())


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.cluster)])
def store(request):
    if request.param == "local":
        return request.getfixturevalue("local")
    return open_store(request.getfixturevalue("bucket_url"))


def add(store, name, age=0, *, expires=None, host="h", **changes):
    """Store a backup that was made `age` days ago; its archive is never looked into."""
    keys, started = BackupKeys(name, sealed="encryption" in changes), NOW - age * DAY
    manifest = Manifest(
        name=name,
        kubeferry="0.1.0",
        created=started,
        source=Source(uid=f"uid-{host}", version="v1.36.1", context="a", host=host),
        revision="7",
        namespaces=["shop"],
        phase=Phase.COMPLETED,
        counts={},
        objects={},
        files={keys.tarball: digest(ARCHIVE), keys.links: digest(b"")}
        | ({keys.contents: digest(b"")} if keys.sealed else {}),
    ).model_copy(update=changes)
    for key in manifest.files:
        store.put(key, ARCHIVE if key == keys.tarball else b"")
    packed = gzip.compress(manifest.model_dump_json().encode())
    store.put(keys.manifest, packed)
    until = None if expires is None else NOW + expires * DAY
    backup = backup_object(manifest, digest(packed).sha256, started, started, until)
    store.put(keys.metadata, orjson.dumps(backup))
    return keys


def there(store, root="backups"):
    return set(store.folders(f"{root}/"))


def prune(store, **options):
    asked = PruneOptions(store=store.url, **options)
    return removed(asked, judged(asked))


def judgements(result):
    return {each.name: ("keep" if each.keep else "remove", each.why) for each in result.judged}


# --- what is deleted


def test_what_no_rule_keeps_is_removed_with_all_its_files_and_nothing_else(store):
    for age in range(5):
        add(store, f"shop-{age}", age)
    add(store, "bank-9", 9, namespaces=["bank"])
    add(store, "secrets-9", 9, selection=Selected(asked="kind secrets"))
    add(store, "elsewhere-9", 9, host="other")
    before = {entry.key for entry in store.list()}
    result = prune(store, keep_last=2)
    gone = {f"shop-{age}" for age in (2, 3, 4)}
    assert (result.phase, {each.name for each in result.removed}) == (Phase.COMPLETED, gone)
    left = {entry.key for entry in store.list()}
    assert left == {key for key in before if key.split("/")[1] not in gone}
    assert judgements(prune(store, keep_last=2)).keys() == there(store)  # and the next one finds nothing to do


def test_expired_ones_are_removed_without_a_rule_and_others_stay(store):
    add(store, "old", 400)
    add(store, "expired", 3, expires=-1)
    add(store, "lasting", 2, expires=1)
    add(store, "last", 1, expires=-0.5)
    result = prune(store)
    assert there(store) == {"old", "lasting", "last"}
    assert judgements(result)["last"][1].startswith("the last good one of its series (expired ")


def test_a_dry_run_reports_and_removes_nothing(local):
    add(local, "a", 2)
    add(local, "b", 1)
    result = judged(PruneOptions(store=local.url, keep_last=1))
    assert judgements(result) == {"a": ("remove", "no rule keeps it"), "b": ("keep", "last 1")}
    assert there(local) == {"a", "b"}
    assert result.dry_run


def test_what_was_agreed_to_is_deleted_or_nothing(local):
    add(local, "a", 3)
    add(local, "b", 2)
    seen = judged(PruneOptions(store=local.url, keep_last=1))
    add(local, "c", 1)
    with pytest.raises(ConflictError, match="look again"):
        prune(local, keep_last=1, expect=seen.digest)
    assert there(local) == {"a", "b", "c"}
    again = judged(PruneOptions(store=local.url, keep_last=1))
    prune(local, keep_last=1, expect=again.digest)
    assert there(local) == {"c"}


def test_what_is_said_to_be_freed_is_what_was_there(store):
    for age in (2, 1):
        add(store, f"b{age}", age)
    size = sum(entry.size for entry in store.list("backups/b2"))
    asked = PruneOptions(store=store.url, keep_last=1)
    seen = judged(asked)
    result = removed(asked, seen)
    assert [(each.versions_stay, each.freed) for each in (seen, result)] == [(False, size)] * 2


# --- what is not good is not the last good one


def test_a_completed_one_that_lacks_a_file_is_not_the_last_good_one(local):
    add(local, "good", 2)
    keys = add(local, "lacking", 1)
    add(local, "partial", 0, phase=Phase.PARTIAL)
    local.delete([keys.links])
    result = prune(local, keep_last=1)
    assert there(local) == {"good", "partial"}
    assert "links.jsonl.gz is missing" in judgements(result)["lacking"][1]


def test_what_stays_as_the_last_good_one_is_read_back_before_others_go(store):
    """A file of the right size with another content is damage too: by the size alone, the one good backup went."""
    add(store, "good", 3)
    add(store, "older", 4)
    bad, worse = add(store, "bad", 2), add(store, "worse", 1)
    store.put(bad.tarball, ARCHIVE.swapcase())
    store.put(worse.tarball, ARCHIVE.swapcase())
    add(store, "bank", 1, namespaces=["bank"])
    result = prune(store, keep_last=1)
    assert there(store) == {"good", "worse", "bank"}
    assert judgements(result)["good"] == ("keep", "the last good one of its series (no rule keeps it)")
    why = "is not what the manifest says (SHA-256 differs)"
    assert judgements(result)["worse"] == ("keep", f"last 1; not whole: {worse.tarball} {why}")
    assert result.phase is Phase.PARTIAL
    assert {each.what: each.why for each in result.problems} == {
        "backup bad": f"{bad.tarball} {why}",
        "backup worse": f"{worse.tarball} {why}",
    }


def test_a_period_keeps_its_good_one_when_its_last_is_damaged(local):
    add(local, "old", 9)
    add(local, "early", 1.25)
    late = add(local, "late", 1.2)
    add(local, "long-ago", 12)
    local.put(late.tarball, ARCHIVE.swapcase())
    prune(local, keep_weekly=1)
    assert {"early"} <= there(local)
    assert not {"old", "long-ago"} & there(local)


def test_nothing_is_read_back_where_nothing_goes(local, monkeypatch):
    add(local, "a", 2)
    add(local, "b", 1)

    def read(*_, **__):
        raise AssertionError("it was read back")

    monkeypatch.setattr("kubeferry.tasks.maintain.prune.prove_stored", read)
    assert prune(local, keep_last=2).removed == []
    with pytest.raises(AssertionError, match="read back"):
        prune(local, keep_last=1)


# --- a series is what was asked for


def test_a_new_namespace_begins_no_new_series(store):
    """Backups of all namespaces, or by a selector: on the fourth night there is one more."""
    for number, asked in enumerate(("all namespaces", "namespaces with team=shop", "all namespaces except kube-*")):
        for age in range(4):
            there_were = ["bank", "shop"] if age else ["bank", "new", "shop"]
            add(store, f"{number}-{age}", age, asked=asked, deployment="", namespaces=there_were)
    prune(store, keep_last=2)
    assert sorted(name[-1] for name in there(store)) == ["0", "0", "0", "1", "1", "1"]


def test_what_was_asked_for_differently_is_another_series(local):
    both = {"namespaces": ["bank", "shop"]}
    add(local, "all", 9, asked="all namespaces", deployment="", **both)
    add(local, "labelled", 8, asked="namespaces with team=x", deployment="", **both)
    add(local, "except", 7, asked="all namespaces except kube-*", deployment="", **both)
    add(local, "named", 6, asked="bank shop", deployment="", **both)
    add(local, "nightly", 5, asked="bank shop", deployment="nightly", **both)
    add(local, "weekly", 4, asked="bank shop", deployment="weekly", **both)
    result = prune(local, keep_last=1)
    assert result.removed == []
    assert {each.series for each in result.judged if each.name == "weekly"} == {"bank shop of uid-h by weekly"}


@pytest.mark.parametrize(
    ("made_by", "gone"),
    [([""], {"old", "older"}), (["nightly"], {"old", "older"}), (["nightly", "weekly"], {"older"}), ([], {"older"})],
)
def test_backups_that_do_not_say_it_belong_to_those_of_the_same_namespaces(local, made_by, gone):
    """Older versions noted only the namespaces; their backups are pruned with the later ones of the same schedule."""
    add(local, "older", 9)
    add(local, "old", 8)
    for age, deployment in enumerate(made_by):
        add(local, f"new-{age}", age, asked="shop", deployment=deployment)
    assert {each.name for each in prune(local, keep_last=1).removed} == gone


def test_an_encrypted_backup_shows_no_selector_and_is_of_its_series(local):
    sealed = {"encryption": Encryption(recipients=["age1x"]), "deployment": ""}
    for age, asked in enumerate(["namespaces with team=secret"] * 3 + ["namespaces with team=other", "shop"]):
        keys = add(local, f"plain-{age}", age, asked=asked, deployment="")
        head, _ = divided(open_backup(local, keys.name).manifest, ["age1x"])
        assert "team" not in head.model_dump_json()
        add(local, f"sealed-{age}", age, asked=head.asked, **sealed)
        local.delete([entry.key for entry in local.list(keys.folder)])
    prune(local, keep_last=1)
    assert there(local) == {"sealed-0", "sealed-3", "sealed-4"}


def test_velero_s_backups_of_other_objects_or_schedules_are_other_series(local):
    for age, (spec, labels) in enumerate(
        [
            ({"includedNamespaces": ["shop"]}, {}),
            ({"includedNamespaces": ["shop"], "excludedResources": []}, {}),
            ({"includedNamespaces": ["shop"], "labelSelector": {"matchLabels": {"a": "b"}}}, {}),
            ({"includedNamespaces": ["shop"], "includedResources": ["pods"]}, {}),
            ({"includedNamespaces": ["shop"]}, {"velero.io/schedule-name": "nightly"}),
            ({"excludedNamespaces": ["bank"]}, {}),
            ({}, {}),
        ]
    ):
        keys = BackupKeys(f"theirs-{age}")
        status = {"phase": "Completed", "startTimestamp": f"{NOW - age * DAY:%Y-%m-%dT%H:%M:%SZ}"}
        metadata = {"name": keys.name, "labels": labels}
        local.put(keys.metadata, orjson.dumps({"kind": "Backup", "metadata": metadata, "spec": spec, "status": status}))
        local.put(keys.tarball, ARCHIVE)
    assert {each.name for each in prune(local, keep_last=1, velero=True).removed} == {"theirs-1"}


def test_an_encrypted_selection_is_not_taken_for_everything(local):
    """Which selection it is, is in the encrypted part; that it is one is not."""
    sealed = {"encryption": Encryption(recipients=["age1x"])}
    add(local, "all", 2, **sealed)
    plain = add(local, "plain", 9, namespaces=["x"], selection=Selected(asked="kind secrets"))
    whole = open_backup(local, plain.name).manifest
    readable = divided(whole, ["age1x"])[0].selection
    assert "secrets" not in readable.asked
    add(local, "some", 1, selection=readable, **sealed)
    prune(local, keep_last=1)
    assert there(local) == {"all", "some", "plain"}


def test_a_damaged_one_is_reported_and_left(local):
    add(local, "a", 2)
    keys = add(local, "b", 1)
    local.put(keys.manifest, b"no gzip")
    result = prune(local, keep_within="1h")
    assert (result.phase, [each.what for each in result.problems]) == (Phase.PARTIAL, ["backup b"])
    assert there(local) == {"a", "b"}


@pytest.mark.parametrize(("asked", "left"), [(False, {"theirs-1", "theirs-2", "busy"}), (True, {"theirs-1", "busy"})])
def test_velero_s_own_are_only_touched_when_asked(local, asked, left):
    for age, name, phase in [(1, "theirs-1", "Completed"), (2, "theirs-2", "Completed"), (3, "busy", "InProgress")]:
        keys = BackupKeys(name)
        local.put(keys.tarball, ARCHIVE)
        status = {"phase": phase, "startTimestamp": f"{NOW - age * DAY:%Y-%m-%dT%H:%M:%SZ}"}
        backup = {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": name}, "status": status}
        local.put(keys.metadata, orjson.dumps(backup))
    prune(local, keep_last=1, velero=asked)
    assert there(local) == left


# --- others at work


def test_what_is_being_written_is_not_touched(store):
    """Before its metadata file is there, and after: the mark is taken off last."""
    begun, ended = BackupKeys("begun"), add(store, "ended", 3)
    for keys in (begun, ended):
        reserve(store, keys, "/work/of-a-run")
    store.put(begun.tarball, ARCHIVE)
    add(store, "newer", 1)
    result = prune(store, keep_last=1)
    assert there(store) == {"begun", "ended", "newer"}
    assert result.phase is Phase.COMPLETED
    assert {each.what for each in result.left} == {"backup begun", "backup ended"}


def test_an_upload_that_died_a_day_ago_is_cleared_away(local, tmp_path):
    for name, hours in (("dead", 25), ("alive", 23)):
        reserve(local, BackupKeys(name), "/work/of-a-run")
        local.put(BackupKeys(name).tarball, ARCHIVE)
        when = time.time() - hours * 3600
        for path in (tmp_path / "store" / "backups" / name).iterdir():
            os.utime(path, (when, when))
    assert {each.name for each in prune(local).removed} == {"dead"}
    assert there(local) == {"alive"}


KILLED = """
import os, sys
from kubeferry.tasks.core.formats.layout import BackupKeys
from kubeferry.tasks.ports.records.reservations import Deletion
from kubeferry.tasks.ports.store.open import open_store
store, keys = open_store(sys.argv[1]), BackupKeys(sys.argv[2])
assert Deletion(store, keys, "x").take()
store.delete([keys.metadata])
store.delete([keys.links])
os._exit(9)
"""


def test_what_a_killed_prune_half_deleted_is_finished(store):
    add(store, "a", 2)
    add(store, "b", 1)
    subprocess.run([sys.executable, "-c", KILLED, store.url, "a"], check=False)
    assert there(store) == {"a", "b"}
    result = prune(store)  # no rule at all: it is no backup any more
    assert [(each.name, each.what) for each in result.removed] == [("a", "leftover")]
    assert there(store) == {"b"}


def test_what_another_prune_half_deleted_just_now_is_left_to_it(local):
    keys = add(local, "a", 2)
    add(local, "b", 1)
    other = Deletion(local, keys, "other")
    assert other.take()
    assert there(local) == {"a", "b"}
    assert [each.what for each in prune(local, keep_last=1).left] == ["backup a"]
    local.delete([keys.metadata])
    assert [each.what for each in prune(local, keep_last=1).left] == ["backup a"]
    assert there(local) == {"a", "b"}


def test_no_backup_of_the_name_is_written_while_it_is_deleted(local):
    keys = add(local, "a", 2)
    assert Deletion(local, keys, "x").take()
    with pytest.raises(Exception, match="being written to or deleted from"):
        reserve(local, keys, "/work/of-a-run")


class Refusing:
    """A store that refuses to delete archives, as a bucket with a retention lock does."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    def delete(self, keys):
        listed = list(keys)
        if any(key.endswith(".tar.gz") for key in listed):
            raise StoreError("access denied")
        self._store.delete(listed)


def test_what_cannot_be_deleted_is_reported_and_the_next_run_goes_on(local, monkeypatch):
    add(local, "a", 2)
    add(local, "b", 1)
    with monkeypatch.context() as patch:
        patch.setattr("kubeferry.tasks.maintain.prune.open_store", lambda url: Refusing(open_store(url)))
        result = prune(local, keep_last=1)
    assert (result.phase, [each.what for each in result.problems]) == (Phase.PARTIAL, ["backup a"])
    assert not local.exists(BackupKeys("a").metadata)  # it stopped to look like a backup
    assert prune(local, keep_last=1).phase is Phase.COMPLETED
    assert there(local) == {"b"}


def test_one_that_was_recreated_meanwhile_stays(local):
    add(local, "a", 2)
    add(local, "b", 1)
    asked = PruneOptions(store=local.url, keep_last=1)
    seen = judged(asked)
    add(local, "a", 0)
    result = removed(asked, seen)
    assert there(local) == {"a", "b"}
    assert [each.why for each in result.left] == ["another backup has this name now"]


def test_two_prunes_and_backups_at_once_do_no_harm(store):
    """Each backup that stays is whole; each that is deleted is gone; nobody fails."""
    for age in range(1, 9):
        add(store, f"old-{age}", age)

    def write(number):
        name = f"new-{number}"
        reserve(store, BackupKeys(name), f"/work/{number}")
        add(store, name)
        store.delete([BackupKeys(name).reservation])

    with ThreadPoolExecutor(4) as pool:
        prunes = [pool.submit(prune, store, keep_last=3) for _ in range(2)]
        writes = [pool.submit(write, number) for number in range(4)]
        for each in writes:
            each.result()
        results = [each.result() for each in prunes]
    assert [each.problems for each in results] == [[], []]
    last = prune(store, keep_last=3)
    assert there(store) == {"new-1", "new-2", "new-3"} | ({"new-0"} & there(store))
    assert not [each for each in last.judged if "not whole" in each.why]
    assert not [entry.key for entry in store.list("backups/") if entry.key.endswith("writing.json")]


# --- clocks


@pytest.mark.parametrize("minutes", [-6, 6, 60 * 24 * 400])
def test_a_prune_whose_clock_is_not_the_store_s_removes_nothing(store, monkeypatch, minutes):
    """A year ahead everything has expired; behind, what is young is not."""
    add(store, "a", 3, expires=30)
    add(store, "b", 2, expires=30)
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(minutes=minutes))
    for options in ({}, {"dry_run": True}):
        with pytest.raises(StoreError, match=r"its clock says .* UTC and this machine's .* UTC: nothing is removed"):
            judged(PruneOptions(store=store.url, **options))
    assert there(store) == {"a", "b"}


def test_a_clock_that_goes_wrong_while_somebody_reads_what_would_go_stops_a_prune(local, monkeypatch):
    add(local, "a", 3)
    add(local, "b", 2)
    asked = PruneOptions(store=local.url, keep_last=1)
    seen, real = judged(asked), clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(hours=1))
    with pytest.raises(StoreError, match="nothing is removed"):
        removed(asked, seen)
    assert there(local) == {"a", "b"}


def test_clocks_that_agree_and_a_folder_that_is_not_there_yet_stop_nothing(store, tmp_path, monkeypatch):
    add(store, "a", 2)
    add(store, "b", 1)
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(minutes=4))
    assert [each.name for each in prune(store, keep_last=1).removed] == ["a"]
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(minutes=40))
    assert prune(open_store((tmp_path / "none").as_uri())).judged == []
    assert not (tmp_path / "none").exists()


@pytest.mark.cluster
def test_the_date_of_the_server_counts_also_where_it_refuses(faulty_bucket):
    """S3 refuses a request that is signed at another time; its answer says what the time is."""
    url, faults = faulty_bucket
    faults.date, faults.deny = "Fri, 02 Jan 2026 03:04:05 GMT", {("GET", "list-type=2&"): 403}
    with pytest.raises(StoreError, match="its clock says 2026-01-02 03:04:05 UTC and this machine's"):
        prune(open_store(url))


# --- restores


def restored(store, name, backup, phase):
    """Keep of a restore what it keeps itself; `phase` is how it ended, "" for one that was killed."""
    keys = RestoreKeys(name)
    header = Header(
        name=name,
        token="0123456789ab",
        backup=backup,
        target=Target(context="a", host="h"),
        namespaces={},
        started=NOW,
        options={},
    )
    store.put_new(keys.header, header.model_dump_json().encode())
    journal = Journal(store, keys, 0)
    journal.begin("somebody")
    journal.keep(1, "update", Ref("", "ConfigMap", "shop", "a"), {"metadata": {"name": "a", "uid": "u"}})
    if phase:
        journal.end(phase)
    journal.close()
    return keys


def aged(tmp_path, name, days):
    when = time.time() - days * 86400
    for path in (tmp_path / "store" / "restores" / name).rglob("*"):
        os.utime(path, (when, when))


@pytest.mark.parametrize(
    ("phase", "days", "kept"),
    [("", 1, True), ("", 8, False), ("Failed", 1, True), ("Completed", 1, False), ("RolledBack", 1, False)],
)
def test_the_backup_of_a_restore_that_may_be_resumed_stays_for_a_week(local, tmp_path, phase, days, kept):
    add(local, "a", 3)
    add(local, "b", 1)
    restored(local, "a-restore", "a", phase)
    aged(tmp_path, "a-restore", days)
    result = prune(local, keep_last=1)
    assert ("a" in there(local)) == kept
    assert not kept or "restore a-restore of it is not finished" in judgements(result)["a"][1]


def test_journals_are_removed_by_age_when_asked_and_unfinished_ones_stay(local, tmp_path):
    for name, phase, days in [("old", "Completed", 40), ("new", "Completed", 20), ("cut", "", 40)]:
        restored(local, name, "a", phase)
        aged(tmp_path, name, days)
    local.put("restores/theirs/restore-theirs-logs.gz", b"log of Velero")
    local.put("restores/old/restore-old-logs.gz", b"log of Velero")
    aged(tmp_path, "theirs", 40)
    aged(tmp_path, "old", 40)
    prune(local)
    assert there(local, "restores") == {"old", "new", "cut", "theirs"}
    result = prune(local, restores_within="30d")
    assert [each.name for each in result.removed] == ["old"]
    assert [entry.key for entry in local.list("restores/old")] == ["restores/old/restore-old-logs.gz"]
    assert there(local, "restores") == {"old", "new", "cut", "theirs"}


@pytest.mark.parametrize("done", [1, 2, 3])
def test_a_half_removed_journal_is_finished(local, tmp_path, monkeypatch, done):
    restored(local, "old", "a", "Completed")
    aged(tmp_path, "old", 40)
    calls = []

    class Dying(Refusing):
        def delete(self, keys):
            calls.append(keys)
            if len(calls) > done:
                raise StoreError("killed here")
            self._store.delete(keys)

    with monkeypatch.context() as patch:
        patch.setattr("kubeferry.tasks.maintain.prune.open_store", lambda url: Dying(open_store(url)))
        assert prune(local, restores_within="30d").phase is Phase.PARTIAL
    assert there(local, "restores") == {"old"}
    prune(local, restores_within="30d")
    assert there(local, "restores") == set()
