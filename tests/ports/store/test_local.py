"""The folder store is private, atomic, and does not follow links; a full or read-only disk is one line."""

import errno
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from kubeferry.tasks.core.errors import KeyMissingError, StoreError
from kubeferry.tasks.ports.local import files, progress
from kubeferry.tasks.ports.store import local
from kubeferry.tasks.ports.store.local import LocalStore


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "store")


class Notes:
    def __init__(self):
        self.lines = []

    def note(self, text):
        self.lines.append(text)


@pytest.fixture
def notes():
    listener = Notes()
    with progress.listening(listener):
        yield listener.lines


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_files_and_folders_are_private(store):
    previous = os.umask(0)
    try:
        store.put("a/b/c", b"")
    finally:
        os.umask(previous)
    modes = {
        path.relative_to(store.root.parent).as_posix(): path.stat().st_mode & 0o777 for path in store.root.rglob("*")
    }
    assert modes == {"store/a": 0o700, "store/a/b": 0o700, "store/a/b/c": 0o600}
    assert store.root.stat().st_mode & 0o777 == 0o700


def test_a_folder_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    store = LocalStore(tmp_path / "file" / "store")
    for doing in (lambda: store.put("a", b""), lambda: store.put_new("a", b""), store.check_writable):
        with pytest.raises(StoreError, match=r"file:///.*/file/store: .*Not a directory"):
            doing()
    assert list(store.list()) == []


def test_a_folder_that_is_a_file_cannot_be_written(tmp_path):
    (tmp_path / "store").write_bytes(b"")
    with pytest.raises(StoreError, match="Not a directory"):
        LocalStore(tmp_path / "store").put_new("a/b", b"")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_disk_that_refuses_is_one_line_and_leaves_the_previous_file(store, monkeypatch, number):
    store.put("a/b", b"former")

    def refuse(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StoreError, match=f"store {store.url}: a/b: {os.strerror(number)}"):
        store.put("a/b", b"new")
    monkeypatch.undo()
    assert store.get("a/b") == b"former"
    assert names(store.root / "a") == ["b"]


def test_a_write_that_fails_in_the_middle_leaves_nothing(store, monkeypatch, tmp_path):
    def break_off(source, target, _):
        target.write(source.read(1))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "source").write_bytes(b"12345")
    monkeypatch.setattr(local.shutil, "copyfileobj", break_off)
    with pytest.raises(StoreError, match="No space left on device"):
        store.put_file("a/b", tmp_path / "source")
    assert names(store.root / "a") == []
    assert store.folders() == []


def test_a_link_is_neither_read_nor_written_nor_listed(store, tmp_path, notes):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    store.put("a/b", b"")
    (store.root / "folder").symlink_to(outside)
    (store.root / "file").symlink_to(outside / "secret")
    (store.root / "loop").symlink_to(store.root / "loop")
    for key in ("folder/secret", "folder/new", "file", "loop", "loop/x"):
        for doing in (store.get, store.exists, lambda key: store.put(key, b""), lambda key: store.delete([key])):
            with pytest.raises(StoreError, match="symbolic link"):
                doing(key)
    assert [entry.key for entry in store.list()] == ["a/b"]
    assert sorted(line.partition("ignored ")[2].split("'")[1] for line in notes) == ["file", "folder", "loop"]
    assert store.folders() == ["a"]
    assert names(outside) == ["secret"]


def test_a_root_that_is_a_link_is_the_users_own_choice(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    LocalStore(tmp_path / "link").put("a", b"x")
    assert (tmp_path / "real" / "a").read_bytes() == b"x"


def test_what_is_no_file_does_not_block(store, notes):
    store.put("a/b", b"")
    os.mkfifo(store.root / "a" / "pipe")
    with pytest.raises(KeyMissingError):
        store.get("a/pipe")
    assert [entry.key for entry in store.list()] == ["a/b"]
    assert "pipe" in notes[0]


def test_names_that_no_key_may_have_are_left_out_and_reported(store, notes):
    store.put("a/b", b"")
    for name in (b"back\\slash", b"new\nline", b"not\xffunicode"):
        (store.root / "a" / os.fsdecode(name)).write_bytes(b"")
    assert [entry.key for entry in store.list()] == ["a/b"]
    assert len(notes) == 3
    assert not any("\n" in line for line in notes)


def test_unfinished_files_are_hidden_and_old_ones_are_removed(store):
    store.put("a/b", b"")
    old, fresh = (store.root / "a" / f"{files.TEMPORARY}{n}" for n in range(2))
    for path in (old, fresh):
        path.write_bytes(b"")
    long_ago = time.time() - local.STALE - 60
    os.utime(old, (long_ago, long_ago))
    assert [entry.key for entry in store.list()] == ["a/b"]
    store.check_writable()
    assert (old.exists(), fresh.exists()) == (False, True)


def test_readers_see_a_whole_file_while_writers_replace_it(store):
    versions = [bytes([n]) * 100_000 for n in range(8)]
    store.put("a", versions[0])
    with ThreadPoolExecutor(4) as pool:
        writes = [pool.submit(store.put, "a", data) for data in versions]
        while not all(write.done() for write in writes):
            assert store.get("a") in versions
    assert [write.exception() for write in writes] == [None] * 8


def test_a_folder_that_is_deleted_under_a_writer_is_made_again(store, monkeypatch):
    left = [2]
    really = files.make_folder

    def delete_it(folder):
        really(folder)
        if left[0] and folder.parent == store.root:
            left[0] -= 1
            folder.rmdir()

    monkeypatch.setattr(files, "make_folder", delete_it)
    store.put("a/b", b"x")
    assert store.get("a/b") == b"x"
    left[0] = 99
    with pytest.raises(StoreError, match="vanishes"):
        store.put("c/d", b"x")


def test_a_probe_that_reads_back_something_else_is_reported(store, monkeypatch):
    @contextmanager
    def other(key):
        assert key.startswith("metadata/")  # where Velero does not look
        with Path(os.devnull).open("rb") as file:
            yield file

    monkeypatch.setattr(store, "_opened", other)
    with pytest.raises(StoreError, match="read back differs from what was written"):
        store.check_writable()
    assert names(store.root) == []


def test_a_published_file_is_a_plain_one(store):
    store.put_new("a", b"x")
    status = (store.root / "a").stat()
    assert stat.S_ISREG(status.st_mode)
    assert (status.st_nlink, status.st_mode & 0o777) == (1, 0o600)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_folder_that_may_not_be_written_shows_no_clock_and_one_that_is_broken_says_so(store, monkeypatch, number):
    store.put("a", b"")

    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "touch", refuse)
    assert store.clock() is None
    number = errno.EIO
    with pytest.raises(StoreError, match="Input/output error"):
        store.clock()
