"""Both stores keep one contract: the folder always, the bucket on the sandbox's S3 server."""

import hashlib
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from kubeferry.tasks.core.errors import DamagedError, KeyMissingError, StoreError, UsageError
from kubeferry.tasks.ports.local import files
from kubeferry.tasks.ports.store.open import open_store

HOSTILE = [
    "", "/", "/etc/passwd", "..", "../x", "a/../../x", "a/..", "a//b", "a/", "./a", "a/.", "a\\b", "..\\x", "a\0b",
    "a\nb", "a\x7f", "a\udc80", "x" * 1025,
]  # fmt: skip
BIG = 20 * 1024 * 1024 + 7


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.cluster)])
def store(request, tmp_path):
    where = (tmp_path / "a store").as_uri() if request.param == "folder" else request.getfixturevalue("bucket_url")
    opened = open_store(where)
    yield opened
    opened.delete([entry.key for entry in opened.list()])


def keys(store, prefix=""):
    return sorted(entry.key for entry in store.list(prefix))


def test_what_is_put_is_what_is_got(store):
    odd = "backups/shöp/system:x 1 +%41&?#=~.json"
    store.put(odd, b"\x00\xff")
    assert store.get(odd) == b"\x00\xff"
    store.put(odd, b"")
    assert store.get(odd) == b""
    assert keys(store) == [odd]


def test_no_more_is_read_into_memory_than_is_asked_for(store):
    store.put("a/file", b"12345")
    assert store.get("a/file", 5) == b"12345"
    with pytest.raises(DamagedError, match="a/file is larger than 4 bytes"):
        store.get("a/file", 4)


def test_an_entry_has_key_size_and_time(store):
    before = datetime.now(UTC) - timedelta(seconds=2)
    store.put("backups/one/file", b"12345")
    (entry,) = store.list("backups/one")
    assert (entry.key, entry.size) == ("backups/one/file", 5)
    assert entry.modified.utcoffset() == timedelta(0)
    assert before < entry.modified < datetime.now(UTC) + timedelta(seconds=2)


def test_a_large_file_goes_out_and_comes_back(store, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(random.Random(0).randbytes(BIG))  # noqa: S311 - only bulk, the same each time
    store.put_file("backups/big/big.tar.gz", source)
    store.get_file("backups/big/big.tar.gz", target)
    assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(source.read_bytes()).digest()
    assert target.stat().st_mode & 0o777 == 0o600
    assert [entry.size for entry in store.list()] == [BIG]


def test_a_small_and_an_empty_file(store, tmp_path):
    for data in (b"", b"small"):
        (tmp_path / "source").write_bytes(data)
        store.put_file("backups/x", tmp_path / "source")
        assert store.get("backups/x") == data


def test_a_missing_source_is_reported(store, tmp_path):
    with pytest.raises(StoreError, match="No such file"):
        store.put_file("backups/x", tmp_path / "none")
    assert keys(store) == []


def test_listing_is_recursive_and_by_folder(store):
    for key in ("a/x", "a/b/y", "ab/z", "a.b"):
        store.put(key, b"")
    assert keys(store) == ["a.b", "a/b/y", "a/x", "ab/z"]
    assert keys(store, "a") == keys(store, "a/") == ["a/b/y", "a/x"]
    assert keys(store, "nothing/here") == []
    assert store.folders() == ["a", "ab"]
    assert store.folders("a") == store.folders("a/") == ["b"]
    assert store.folders("a/b") == store.folders("none") == []


def test_more_than_a_page_is_listed(store):
    names = [f"backups/many/{n:04}" for n in range(1050)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: store.put(key, b"x"), names))
    assert keys(store, "backups/many") == names
    store.delete(names[1:])
    assert keys(store) == names[:1]


def test_deleting_leaves_no_folder_and_forgives_what_is_gone(store):
    store.put("a/b/c", b"")
    store.put("a/d", b"")
    store.delete(["a/b/c", "a/b/none", "a/d/below", "a/b"])
    assert keys(store) == ["a/d"]
    assert store.folders("a") == []
    store.delete(["a/d"])
    assert store.folders() == []


def test_exists_is_about_whole_keys(store):
    store.put("a/bc", b"")
    assert store.exists("a/bc")
    assert not any(store.exists(key) for key in ("a/b", "a", "a/bcd", "a/bc/d", "none"))


def test_what_is_missing_is_named(store, tmp_path):
    store.put("a/b", b"")
    for key in ("a/none", "a", "none/none"):
        with pytest.raises(KeyMissingError, match=key):
            store.get(key)
        with pytest.raises(KeyMissingError, match=key):
            store.get_file(key, tmp_path / "target")
    assert {path.name for path in tmp_path.iterdir()} <= {"a store"}


def test_only_one_of_many_writers_makes_a_new_file(store):
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: store.put_new("leases/one", str(n).encode()), range(16)))
    assert won.count(True) == 1
    assert store.get("leases/one") == str(won.index(True)).encode()
    assert keys(store) == ["leases/one"]
    store.delete(["leases/one"])
    assert store.put_new("leases/one", b"again")


def test_the_write_check_leaves_nothing(store):
    store.check_writable()
    assert keys(store) == []
    assert store.folders() == []


def test_a_failed_download_leaves_nothing(store, tmp_path):
    store.put("a", b"x")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="Not a directory"):
        store.get_file("a", tmp_path / "file" / "target")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match="Is a directory"):
        store.get_file("a", tmp_path / "folder")
    assert {path.name for path in tmp_path.iterdir()} - {"a store"} == {"file", "folder"}


@pytest.mark.parametrize("key", HOSTILE)
def test_a_hostile_key_is_refused_everywhere(store, key, tmp_path):
    (tmp_path / "source").write_bytes(b"")
    doings = {
        "put": lambda: store.put(key, b""),
        "put_file": lambda: store.put_file(key, tmp_path / "source"),
        "put_new": lambda: store.put_new(key, b""),
        "get": lambda: store.get(key),
        "get_file": lambda: store.get_file(key, tmp_path / "target"),
        "exists": lambda: store.exists(key),
        "delete": lambda: store.delete([key]),
    }
    if key not in ("", "a/"):  # a folder may be written so
        doings |= {"list": lambda: list(store.list(key)), "folders": lambda: store.folders(key)}
    for name, doing in doings.items():
        with pytest.raises(UsageError, match="is refused"):
            pytest.fail(f"{name} took it: {doing()!r}")
    assert keys(store) == []


@pytest.mark.parametrize(
    "url",
    [
        "s3://me:SECRET@bucket/x", "s3://SECRET@bucket", "s3://me:SEC/SECRET@bucket", "s3://bucket?access_key=SECRET",
        "s3://bucket?endpoint=http://me:SECRET@host", "https://me:SECRET@host", "file://me:SECRET@host/x",
        "s3://bucket?endpoint=http://[SECRET", "file:///x?token=SECRET",
    ],
)  # fmt: skip
def test_credentials_in_a_url_are_refused_and_not_echoed(url):
    with pytest.raises(UsageError) as caught:
        open_store(url)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "url",
    ["/x", "x", "ftp://host/x", "file://h/x", "file:x", "s3://", "s3:///x", "s3://b/../c", "s3://b?endpoint=ftp://x"],
)
def test_what_names_no_store_is_refused(url):
    with pytest.raises(UsageError):
        open_store(url)


def test_a_url_is_shown_as_it_was_given(tmp_path):
    assert open_store(f"file://{tmp_path}/a%20b").url == f"file://{tmp_path}/a%20b"
    url = "s3://bucket/a/b?endpoint=http://127.0.0.1:9000&region=eu-x"
    assert open_store(url).url == url
    assert open_store("s3://bucket/").url == "s3://bucket"


def test_the_default_is_the_users_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBEFERRY_HOME", str(tmp_path))
    assert open_store().url == (tmp_path / "store").as_uri()


def test_unfinished_files_are_hidden_by_both_names(tmp_path):
    store = open_store(tmp_path.as_uri())
    with pytest.raises(UsageError, match="unfinished"):
        store.put(f"a/{files.TEMPORARY}1", b"")
