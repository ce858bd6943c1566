"""A stored backup is opened link by link, each proved by the one above it; a broken link is named."""

from datetime import UTC, datetime

import orjson
import pytest

from kubeferry.tasks.core.errors import BackupNotFoundError, DamagedError, UsageError
from kubeferry.tasks.core.formats.layout import BackupKeys
from kubeferry.tasks.core.formats.manifest import Manifest, Source, digest
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.formats.velero_backup import MANIFEST_DIGEST, backup_object
from kubeferry.tasks.maintain.verify import prove
from kubeferry.tasks.ports.archive import gzip
from kubeferry.tasks.ports.archive.tarball import FragmentWriter, join
from kubeferry.tasks.ports.records.backups import backups, open_backup
from kubeferry.tasks.ports.store.local import LocalStore

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)
WEB = "resources/deployments.apps/namespaces/shop/web.json"
DB = "resources/secrets/namespaces/shop/db.json"
CONTENT = {WEB: b'{"kind":"Deployment"}', DB: b'{"kind":"Secret","data":{"p":"bWFya2Vk"}}'}


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBEFERRY_HOME", str(tmp_path / "home"))


@pytest.fixture
def store(tmp_path):
    (tmp_path / "store").mkdir()
    return LocalStore(tmp_path / "store")


def make(store, tmp_path, name="shop-1", content=None, **changes):
    """Store a backup whose manifest is changed by `changes` and whose links above it fit again."""
    keys, fragment, tarball = BackupKeys(name), tmp_path / "part", tmp_path / "tarball"
    with FragmentWriter(fragment) as out:
        digests = {path: out.add(path, data) for path, data in (content or CONTENT).items()}
    join([fragment], tarball)
    links = gzip.compress(b"")
    store.put_file(keys.tarball, tarball)
    store.put(keys.links, links)
    manifest = Manifest(
        name=name,
        kubeferry="0.1.0",
        created=NOW,
        source=Source(uid="u", version="v1.36.1", context="a", host="h"),
        revision="7",
        namespaces=["shop"],
        phase=Phase.COMPLETED,
        counts={"Deployment.apps": 1, "Secret": 1},
        objects=digests,
        files={keys.tarball: digest(tarball.read_bytes()), keys.links: digest(links)},
    ).model_copy(update=changes)
    packed = gzip.compress(manifest.model_dump_json().encode())
    store.put(keys.manifest, packed)
    store.put(keys.metadata, orjson.dumps(backup_object(manifest, digest(packed).sha256, NOW, NOW)))
    return keys


@pytest.fixture
def keys(store, tmp_path):
    return make(store, tmp_path)


def fetched(store, tmp_path, name="shop-1"):
    backup = open_backup(store, name)
    target = tmp_path / "fetched"
    backup.fetch(backup.keys.tarball, target)
    return {member.path: data for member, data in backup.objects(target)}


@pytest.mark.usefixtures("keys")
def test_a_sound_backup_is_opened_fetched_and_proved(store, tmp_path):
    assert fetched(store, tmp_path) == CONTENT
    proof = prove(store.url, "shop-1", deep=True)
    assert (proof.files, proof.objects, proof.proved) == (2, 2, True)


@pytest.mark.parametrize("name", ["shop-2", "shop"])
@pytest.mark.usefixtures("keys")
def test_a_backup_that_is_not_there_is_named(store, name):
    with pytest.raises(BackupNotFoundError, match=f"no backup {name} in "):
        open_backup(store, name)


@pytest.mark.parametrize("name", ["", "../shop-1", "shop-1/", "Shop", "a b"])
def test_a_name_that_can_be_none_is_a_usage_error(store, name):
    with pytest.raises(UsageError):
        open_backup(store, name)


def test_one_that_was_never_finished_is_none(store, keys):
    store.delete([keys.metadata])
    with pytest.raises(BackupNotFoundError):
        open_backup(store, "shop-1")
    assert list(backups(store)) == []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda store, keys: store.delete([keys.manifest]), "its manifest is missing"),
        (lambda store, keys: store.put(keys.manifest, gzip.compress(b"{}")), "its manifest is not what"),
        (lambda store, keys: store.put(keys.manifest, store.get(keys.manifest)[:-1]), "its manifest is not what"),
        (lambda store, keys: store.put(keys.metadata, b"{"), "velero-backup.json is not JSON"),
        (lambda store, keys: store.put(keys.metadata, b""), "velero-backup.json is not JSON"),
        (lambda store, keys: store.put(keys.metadata, b"[]"), "is not the Backup object"),
    ],
)
def test_each_broken_link_above_the_files_is_named(store, keys, spoil, message):
    spoil(store, keys)
    with pytest.raises(DamagedError, match=r"^backup shop-1: ") as caught:
        open_backup(store, "shop-1")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "packed", [b"not gzip", gzip.compress(b"not json"), gzip.compress(b"[]"), gzip.compress(b"{}")]
)
def test_a_manifest_of_the_right_digest_and_the_wrong_content(store, keys, packed):
    backup = orjson.loads(store.get(keys.metadata))
    backup["metadata"]["annotations"][MANIFEST_DIGEST] = digest(packed).sha256
    store.put(keys.metadata, orjson.dumps(backup))
    store.put(keys.manifest, packed)
    with pytest.raises(DamagedError, match=r"^backup shop-1: "):
        open_backup(store, "shop-1")


def test_another_backups_files_under_this_name(store, tmp_path, keys):
    other = make(store, tmp_path, "shop-2", {WEB: b"{}"})
    store.put(other.metadata, store.get(keys.metadata))
    with pytest.raises(DamagedError, match="backup shop-2: velero-backup"):
        open_backup(store, "shop-2")
    backup = orjson.loads(store.get(keys.metadata))
    backup["metadata"]["name"] = "shop-2"
    store.put(other.metadata, orjson.dumps(backup))
    store.put(other.manifest, store.get(keys.manifest))
    with pytest.raises(DamagedError, match="its manifest is that of backup 'shop-1'"):
        open_backup(store, "shop-2")


def test_a_manifest_that_names_files_of_another_backup(store, tmp_path, keys):
    files = {keys.tarball: digest(store.get(keys.tarball)), keys.links: digest(store.get(keys.links))}
    make(store, tmp_path, "shop-2", files=files)
    for read in (lambda: prove(store.url, "shop-2"), lambda: fetched(store, tmp_path, "shop-2")):
        with pytest.raises(DamagedError, match="does not name the files of this backup"):
            read()


def test_a_manifest_that_names_no_file(store, tmp_path):
    make(store, tmp_path, files={})
    for read in (lambda: prove(store.url, "shop-1"), lambda: fetched(store, tmp_path)):
        with pytest.raises(DamagedError, match="does not name the files of this backup"):
            read()


@pytest.mark.parametrize("which", ["tarball", "links"])
def test_a_file_that_is_missing_or_changed_is_named(store, keys, which):
    key = getattr(keys, which)
    whole = store.get(key)
    for spoiled in (whole[:-1], whole + b"\0", whole[:9] + bytes([whole[9] ^ 1]) + whole[10:], b""):
        store.put(key, spoiled)
        with pytest.raises(DamagedError, match=f"backup shop-1: {key} is not what the manifest says"):
            prove(store.url, "shop-1")
    store.delete([key])
    with pytest.raises(DamagedError, match=f"backup shop-1: {key} is missing from"):
        prove(store.url, "shop-1")


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ({WEB: digest(CONTENT[WEB]).sha256}, f"{DB} is not what the manifest says"),
        (dict.fromkeys(CONTENT, "0" * 64), f"{WEB} is not what the manifest says"),
        (
            {path: digest(data).sha256 for path, data in CONTENT.items()} | {"resources/x/cluster/y.json": "0" * 64},
            "resources/x/cluster/y.json is in the manifest and not in the archive",
        ),
    ],
)
def test_objects_are_those_of_the_manifest_no_more_and_no_less(store, tmp_path, objects, message):
    make(store, tmp_path, objects=objects)
    assert prove(store.url, "shop-1").objects == 0, "without `deep` only files are proved"
    with pytest.raises(DamagedError) as caught:
        prove(store.url, "shop-1", deep=True)
    assert message in str(caught.value)


def test_what_velero_wrote_can_be_read_and_not_proved(store, tmp_path, keys):
    backup = orjson.loads(store.get(keys.metadata))
    del backup["metadata"]["annotations"]
    store.put(keys.metadata, orjson.dumps(backup))
    store.delete([keys.manifest, keys.links])
    assert fetched(store, tmp_path) == CONTENT
    proof = prove(store.url, "shop-1")
    assert (proof.proved, proof.objects) == (False, 2)
    store.put(keys.tarball, store.get(keys.tarball)[:-40])
    with pytest.raises(DamagedError):
        prove(store.url, "shop-1")


def test_a_list_goes_on_after_what_cannot_be_read(store, tmp_path):
    for name in ("a", "b", "c"):
        make(store, tmp_path, name)
    store.put(BackupKeys("b").metadata, b"{")
    store.put("backups/Not A Name/velero-backup.json", b"{}")
    store.put("backups/begun/begun.tar.gz", b"")
    found = list(backups(store))
    assert sorted(each.name for each in found if not isinstance(each, DamagedError)) == ["a", "c"]
    errors = sorted(str(each) for each in found if isinstance(each, DamagedError))
    assert len(errors) == 2
    assert errors[0] == "backup b: velero-backup.json is not JSON (line 1, column 2)"
    assert "'Not A Name' is not a valid name" in errors[1]


def test_an_empty_store_has_no_backups(store):
    assert list(backups(store)) == []
