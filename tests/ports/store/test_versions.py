"""A versioned bucket and Object Lock, on a real server: what list shows, what prune removes, frees and leaves."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from tests.ports.records.test_prune import add, judgements, prune
from tests.support.store_faults import faulty
from tests.support.versioned_s3 import versioned

from kubeferry.tasks.core.errors import StoreError, UsageError
from kubeferry.tasks.core.formats.layout import BackupKeys, RestoreKeys
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.models.options_maintenance import PruneOptions
from kubeferry.tasks.core.models.results import Judged
from kubeferry.tasks.maintain.prune import _tried, judged, removed
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.records.reservations import reserved
from kubeferry.tasks.ports.store.base import Store
from kubeferry.tasks.ports.store.open import open_store
from kubeferry.tasks.ports.store.s3_bucket import PART
from kubeferry.tasks.ports.store.signed import SignedStore

pytestmark = pytest.mark.cluster
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def server(sandbox_env, tmp_path_factory):  # noqa: ARG001 - its program is built
    with pytest.MonkeyPatch.context() as patch, versioned(tmp_path_factory.mktemp("versioned"), patch) as running:
        yield running


@pytest.fixture
def place(request):
    return request.node.name.partition("[")[0][-40:].replace("_", "-")


@pytest.fixture
def kept(server, place):
    return open_store(server.store("kept", place))


@pytest.fixture
def locked(server, place):
    return open_store(server.store("locked", place))


def there(store):
    """Return the names of which something is listed: this server lists empty folders below a prefix for ever."""
    return {entry.key.split("/")[1] for entry in store.list("backups")}


def shown(store, *names):
    return {name: str(store.lock([BackupKeys(name).metadata], clock.now()) or "") for name in names}


# --- versions


def test_what_is_deleted_is_shown_nowhere_and_no_bytes_are_said_to_be_freed(server, kept, place):
    for age in (2, 1):
        add(kept, f"b{age}", age)
    before = server.versions("kept", place)[0]
    for dry in (True, False):
        options = PruneOptions(store=kept.url, keep_last=1)
        result = judged(options) if dry else removed(options, judged(options))
        assert (result.versions_stay, result.freed) == (True, 0)
    assert there(kept) == {"b1"}
    assert not [entry for entry in kept.list() if "/b2/" in entry.key]
    assert not kept.exists(BackupKeys("b2").metadata)
    versions, markers = server.versions("kept", place)
    assert versions == before, "nothing of what was stored is lost"
    assert markers == [key for key in before if "/b2/" in key]
    assert judgements(prune(kept, keep_last=1)).keys() == {"b1"}


def test_with_versions_delete_a_prune_removes_all_versions_and_frees_what_it_says(server, kept, place):
    for _ in range(2):
        add(kept, "b2", 2)
    add(kept, "b1", 1)
    store = open_store(f"{kept.url}&versions=delete")
    size = sum(entry.size for entry in store.list("backups/b2"))
    result = prune(store, keep_last=1)
    assert (result.versions_stay, result.freed) == (False, size)
    assert server.versions("kept", f"{place}/backups/b2/") == ([], [])
    assert server.versions("kept", f"{place}/backups/b1/")[0]


def test_neither_probes_nor_reservations_leave_versions(server, kept, place):
    kept.check_writable()
    for _ in range(2):
        with reserved(kept, BackupKeys("a"), "/work/x") as writing:
            writing.check(ask=True)
    assert server.versions("kept", place) == ([], [])
    assert kept.put_new("again", b"1")


def test_without_the_right_to_delete_versions_a_marker_does(server, kept, place):
    """And a key that this server then takes for one that exists (Amazon does not) is not said to be another run's."""
    end = urlsplit(server.endpoint)
    with faulty(end.hostname, end.port) as (endpoint, faults):
        faults.deny = {("DELETE", "versionId="): 403}
        store = open_store(kept.url.replace(server.endpoint, endpoint))
        assert store.put_new("a", b"1")
        store.forget(["a"])
        assert not store.exists("a")
        with pytest.raises(StoreError, match="newest version is a delete marker"):
            store.put_new("a", b"2")
        with pytest.raises(StoreError, match="403"):
            open_store(f"{store.url}&versions=delete").delete(["a"])
    assert f"{place}/a" in server.versions("kept", place)[0]


def test_only_the_key_itself_is_forgotten(server, kept, place):
    for key in ("a", "a.b", "ab"):
        for _ in range(2):
            kept.put(key, b"1")
    kept.forget(["a"])
    assert set(server.versions("kept", place)[0]) == {f"{place}/{key}" for key in ("a.b", "ab")}


def test_more_versions_than_a_page_holds_are_forgotten(server, kept, place, monkeypatch):
    real = type(kept._bucket).ask
    for number in range(5):
        kept.put("a", bytes(number))
    kept.put("a.b", b"")

    def small(self, operation, key, **more):
        return real(self, operation, key, **more, **({"MaxKeys": 2} if operation == "list_object_versions" else {}))

    monkeypatch.setattr(type(kept._bucket), "ask", small)
    kept.forget(["a"])
    assert set(server.versions("kept", place)[0]) == {f"{place}/a.b"}


@pytest.mark.parametrize(("status", "stays"), [("Enabled", True), ("Suspended", False)])
def test_what_was_written_before_the_bucket_had_versions_stays_too_where_they_are_enabled(server, place, status, stays):
    """Its version is called null, and it looks like one in a bucket without versions."""
    bucket = f"late-{status.lower()}"
    server.client.create_bucket(Bucket=bucket)
    store = open_store(server.store(bucket, place))
    store.put("a", b"1")
    server.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    server.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
    store = open_store(store.url)
    assert store.get("a") == b"1"
    assert store.versions_stay is stays
    store.delete(["a"])
    assert bool(server.versions(bucket, place)[0]) is stays
    expunging = open_store(f"{store.url}&versions=delete")
    expunging.put("a", b"2")
    expunging.delete(["a"])
    assert server.versions(bucket, place)[0] == []


def test_without_the_right_to_ask_the_ids_of_objects_tell(kept, server):
    end = urlsplit(server.endpoint)
    with faulty(end.hostname, end.port) as (endpoint, faults):
        faults.deny = {("GET", "versioning"): 403}
        store = open_store(kept.url.replace(server.endpoint, endpoint))
        assert not store.versions_stay
        store.put("a", b"1")
        assert store.versions_stay


# --- Object Lock


def test_what_is_written_with_a_lock_is_locked_small_and_in_parts(server, locked, place, tmp_path):
    until = (clock.now() + DAY).replace(microsecond=0)
    (tmp_path / "big").write_bytes(bytes(PART + 1))
    store = locked.locking(until)
    store.put("put", b"1")
    store.put_file("big", tmp_path / "big")
    assert store.put_new("new", b"1")
    for key in ("put", "big", "new"):
        found = server.client.get_object_retention(Bucket="locked", Key=f"{place}/{key}")["Retention"]
        assert (found["Mode"], found["RetainUntilDate"]) == ("GOVERNANCE", until)
    others = {key for key in server.versions("locked", place)[0] if "/metadata/" in key}
    assert not others, "the probe of conditional writes is not locked, and gone"
    strict = open_store(f"{locked.url}&lock=compliance").locking(until)
    strict.put("strict", b"1")
    assert (
        server.client.get_object_retention(Bucket="locked", Key=f"{place}/strict")["Retention"]["Mode"] == "COMPLIANCE"
    )


def test_a_store_that_cannot_lock_says_so_at_once(kept, tmp_path):
    with pytest.raises(StoreError, match="the bucket has no Object Lock") as caught:
        kept.locking(clock.now() + DAY)
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="a folder has no Object Lock"):
        open_store(tmp_path.as_uri()).locking(clock.now() + DAY)


def test_a_locked_backup_is_shown_as_locked_and_a_prune_leaves_it_and_says_so(server, locked, place):
    until = clock.now() + 40 * DAY
    add(locked.locking(until), "locked", 3)
    add(locked, "free", 2)
    add(locked, "last", 1)
    assert shown(locked, "locked", "free") == {"locked": f"until {until:%Y-%m-%d %H:%M} UTC (GOVERNANCE)", "free": ""}
    result = prune(locked, keep_last=1)
    assert (result.phase, [each.name for each in result.removed]) == (Phase.COMPLETED, ["free"])
    assert there(locked) == {"locked", "last"}
    assert judgements(result)["locked"] == (
        "keep",
        f"no rule keeps it; locked until {until:%Y-%m-%d %H:%M} UTC (GOVERNANCE)",
    )
    assert [each.what for each in result.left] == ["backup locked"]
    assert not server.versions("locked", f"{place}/backups/locked/")[1], "no delete marker hides it"


def test_one_locked_file_of_a_backup_is_enough_and_a_legal_hold_too(server, locked, place):
    for name in ("retained", "held", "over", "last"):
        add(locked, name, 1 if name == "last" else 2)
    key = f"{place}/{BackupKeys('retained').tarball}"
    retention = {"Mode": "GOVERNANCE", "RetainUntilDate": clock.now() + DAY}
    server.client.put_object_retention(Bucket="locked", Key=key, Retention=retention)
    key = f"{place}/{BackupKeys('held').links}"
    server.client.put_object_legal_hold(Bucket="locked", Key=key, LegalHold={"Status": "ON"})
    result = prune(locked, keep_last=1)
    assert {each.name for each in result.removed} == {"over"}
    assert {each.what: each.why for each in result.left}["backup held"] == "locked by a legal hold"
    server.client.put_object_legal_hold(Bucket="locked", Key=key, LegalHold={"Status": "OFF"})
    assert {each.name for each in prune(locked, keep_last=1).removed} == {"held"}


def test_a_lock_that_is_over_locks_nothing(locked):
    add(locked.locking(clock.now() + DAY), "a", 2)
    add(locked, "b", 1)
    assert locked.lock([BackupKeys("a").metadata], clock.now() + 2 * DAY) is None


def test_what_somebody_locks_while_a_prune_waits_for_a_yes_stays(server, locked, place):
    add(locked, "a", 2)
    add(locked, "b", 1)
    options = PruneOptions(store=locked.url, keep_last=1)
    seen = judged(options)
    retention = {"Mode": "GOVERNANCE", "RetainUntilDate": clock.now() + DAY}
    key = f"{place}/{BackupKeys('a').tarball}"
    server.client.put_object_retention(Bucket="locked", Key=key, Retention=retention)
    result = removed(options, seen)
    assert there(locked) == {"a", "b"}
    assert [each.why.partition(" 2")[0] for each in result.left] == ["locked until"]
    assert not locked.exists(BackupKeys("a").reservation)


def test_records_of_a_restore_that_somebody_locked_meanwhile_stay(locked):
    keys = RestoreKeys("r")
    locked.put(keys.segment(1), b"{}")
    locked.locking(clock.now() + DAY).put(keys.header, b"{}")
    end = _tried(locked, Judged(name="r", what="restore", keep=False, why="ended long ago"), "token")
    assert (end.left.partition(" 2")[0], end.error) == ("locked until", None)
    assert {entry.key for entry in locked.list(keys.folder)} == {keys.header, keys.segment(1)}


def test_versions_that_are_locked_are_not_said_to_be_gone(locked):
    """With versions=delete: the current one may go, an earlier one not."""
    add(locked.locking(clock.now() + DAY), "a", 2)
    locked.delete([entry.key for entry in locked.list("backups/a")])
    store = open_store(f"{locked.url}&versions=delete")
    locked.put("backups/a/kubeferry-links.jsonl.gz", b"x")
    with pytest.raises(StoreError, match="AccessDenied"):
        store.delete(["backups/a/kubeferry-links.jsonl.gz"])


# --- a store that signs


def test_a_store_that_signs_passes_all_on_that_it_does_not_do_itself():
    """A method of `Store` with a body would else answer for a store that nobody asked."""
    own = {name for name in vars(Store) if not name.startswith("_")}
    assert own - vars(SignedStore).keys() == set()


def test_a_signed_backup_is_locked_with_its_signature(server, locked, place):
    class Key:
        def sign(self, data, key):
            return f"{len(data)} {key}".encode()

    until = (clock.now() + DAY).replace(microsecond=0)
    add(SignedStore(locked, Key(), []).locking(until), "a", 2)
    add(locked, "b", 1)
    keys = server.versions("locked", f"{place}/backups/a/")[0]
    assert any("kubeferry-signatures" in key for key in keys)
    for key in keys:
        assert server.client.get_object_retention(Bucket="locked", Key=key)["Retention"]["RetainUntilDate"] == until
    assert [each.what for each in prune(locked, keep_last=1).left] == ["backup a"]
