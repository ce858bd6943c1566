"""S3 servers of different age: each takes backups, and what it lacks is reported once (case 16-s3-older-servers)."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.support.bench import B
from tests.support.older_s3 import AGES, CONDITIONS, older

from kubeferry.tasks.core.errors import StoreUnavailableError
from kubeferry.tasks.core.models.options_maintenance import DoctorOptions
from kubeferry.tasks.doctor.store import store as examined
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.store import s3_locks
from kubeferry.tasks.ports.store.open import open_store

pytestmark = pytest.mark.cluster
BIG = random.Random(2).randbytes(9 * 1024 * 1024)  # noqa: S311 - only bulk, the same each time
LACKS = {
    "checks no reads": {"x-amz-checksum-mode"},
    "ignores conditions": {"If-None-Match", "If-Match"},
    "refuses conditions": {"If-None-Match", "If-Match"},
    "before 2022": {"MD5", "If-None-Match", "If-Match"},
    "knows no new header": {"MD5", "x-amz-checksum-mode", "If-None-Match", "If-Match"},
}
WORDS = {"MD5", "x-amz-checksum-mode", "If-None-Match", "If-Match"}


class Notes:
    """The lines that a user sees."""

    def __init__(self):
        self.lines = []

    def note(self, text):
        self.lines.append(text)

    def step(self, *_):
        """Ignore progress."""


@pytest.fixture
def notes():
    heard = Notes()
    with progress.listening(heard):
        yield heard.lines


@pytest.fixture
def aged(bucket_url):
    """Return a function that opens the store behind a server of an age, and its Age."""
    parts = urlsplit(bucket_url)
    upstream = urlsplit(parse_qs(parts.query)["endpoint"][0])
    opened = []

    def run(name):
        age = AGES[name]()
        server = older(upstream.hostname, upstream.port, age)
        endpoint = server.__enter__()
        opened.append(server)
        return parts._replace(query=f"endpoint={endpoint}&region=us-east-1").geturl(), age

    yield run
    plain = open_store(bucket_url)
    plain.delete([entry.key for entry in plain.list()])
    for server in opened:
        server.__exit__(None, None, None)


@pytest.mark.parametrize("name", AGES)
def test_a_store_on_it_does_all_that_a_backup_needs(aged, notes, tmp_path, name):
    url, _ = aged(name)
    store = open_store(url)
    store.check_writable()
    (tmp_path / "big").write_bytes(BIG)
    store.put_file("big", tmp_path / "big")
    store.get_file("big", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == BIG
    again = open_store(url)  # as each step of a flow does
    assert again.put_new("taken", b"one")
    assert not again.put_new("taken", b"two")
    assert not again.swap("taken", b"other", b"three")
    assert again.swap("taken", b"one", b"three")
    assert not again.swap("none", b"", b"four")
    assert again.get("taken") == b"three"
    assert sorted(entry.key for entry in again.list()) == ["big", "taken"]
    assert {word for line in notes for word in WORDS if word in line} == LACKS[name]
    assert len(notes) == len(LACKS[name])
    assert set(again.limits) == {line.partition("us-east-1: ")[2] for line in notes}


def test_a_new_server_lacks_nothing_and_nothing_is_reported(bucket_url, notes):
    store = open_store(bucket_url)
    store.check_writable()
    assert store.limits == ()
    assert notes == []


@pytest.mark.parametrize("name", ["ignores conditions", "refuses conditions"])
def test_of_many_writers_one_wins(aged, name):
    """Each has a client of its own, as processes have."""
    url, age = aged(name)
    ready = threading.Barrier(5)

    def write(number):
        store = open_store(url)
        ready.wait()
        return store.put_new("lease", str(number).encode())

    with ThreadPoolExecutor(5) as pool:
        won = list(pool.map(write, range(5)))
    assert won.count(True) == 1
    store = open_store(url)
    assert store.get("lease") == str(won.index(True)).encode()
    with ThreadPoolExecutor(5) as pool:
        swapped = list(
            pool.map(lambda n: open_store(url).swap("lease", str(won.index(True)).encode(), b"n%d" % n), range(5))
        )
    assert swapped.count(True) == 1
    assert [entry.key for entry in store.list()] == ["lease"]
    asked = {header for _, _, headers in age.seen for header in CONDITIONS if header in headers}
    assert asked == set(CONDITIONS)


def test_a_lock_of_a_process_that_died_ends_by_its_age(aged, monkeypatch):
    url, _ = aged("ignores conditions")
    store = open_store(url)
    store.put(f"{store._lock_prefix('lease').removeprefix(store._prefix)}dead", b"")
    monkeypatch.setattr(s3_locks, "PATIENCE", 1)
    with pytest.raises(StoreUnavailableError, match="another writer holds the lock"):
        store.put_new("lease", b"")
    monkeypatch.setattr(s3_locks, "STALE", timedelta(seconds=0))
    monkeypatch.setattr(s3_locks, "PATIENCE", 30)
    assert store.put_new("lease", b"mine")
    assert [entry.key for entry in store.list()] == ["lease"]


def test_who_was_held_up_with_a_lock_writes_nothing(aged, monkeypatch):
    url, _ = aged("ignores conditions")
    store = open_store(url)
    monkeypatch.setattr(s3_locks, "HELD", -1)
    with pytest.raises(StoreUnavailableError, match="was held up"):
        store.put_new("lease", b"")
    assert list(store.list()) == []


@pytest.mark.parametrize("name", ["ignores conditions", "checks no reads"])
def test_doctor_says_what_it_lacks(aged, name):
    url, _ = aged(name)
    found = examined(DoctorOptions(store=url))
    assert {word for word in WORDS if word in found.found} == LACKS[name]
    assert found.level == "ok"


@pytest.mark.parametrize("name", ["checks no reads", "before 2022"])
def test_a_backup_on_it_is_written_verified_and_restored(aged, bench, kubeferry, name):
    url, _ = aged(name)
    ns, copy = bench.namespace("pc16"), bench.name("pc16")
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {greeting: hello}}", ns)
    saved = bench.backup(ns, store=url, whole=True)
    assert saved.phase == "Completed"
    code, _, err = kubeferry("verify", saved.name, "--deep", "--store", url)
    assert code == 0, err
    assert bench.restore(saved, store=url, map={ns: copy}, whole=True).phase == "Completed"
    assert bench.get("ConfigMap", copy, "settings", B)["data"] == {"greeting": "hello"}


def test_what_it_lacks_is_in_the_log_of_a_run_once(aged, bench, caplog):
    url, _ = aged("ignores conditions")
    ns = bench.namespace("pc16")
    bench.backup(ns, store=url, whole=True)
    said = [line for line in caplog.messages if "no conditional writes" in line]
    assert sorted(word for line in said for word in WORDS if word in line) == ["If-Match", "If-None-Match"]
