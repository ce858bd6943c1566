"""A disk that is full: of the spool, or of a store that is a folder; reported in one line, and nothing looks whole."""

import contextlib
import errno
import os
import subprocess

import pytest
from tests.faults.actions import doing
from tests.faults.proxy import Rule
from tests.support.bench import A, B, name

from kubeferry.tasks.core.errors import DiskError, StoreError
from kubeferry.tasks.ports.records.backups import prove

FULL = os.strerror(errno.ENOSPC)
SMALL, LARGE = "256k", "64m"

BULK = "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: bulk-{number}}}, data: {{text: {text}}}}}"
"""Three of them take more than SMALL, in an archive too: what they hold is random."""


class Disk:
    """A file system of its own, in memory."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.store = folder.as_uri()
        made = self._mount("tmpfs", f"size={SMALL},mode=700")
        if made.returncode:
            why = f"no file system can be mounted here: {made.stderr.strip()}"
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)

    def _mount(self, what, options):
        argv = ["mount", "-t", "tmpfs", "-o", options, what, str(self.folder)]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    def grow(self):
        assert self._mount("tmpfs", f"remount,size={LARGE}").returncode == 0

    def fill(self):
        """Leave no block free; the file is not ours."""
        with (self.folder / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        assert os.statvfs(self.folder).f_bavail == 0

    def free(self):
        (self.folder / "filler").unlink()

    def left(self):
        """Return every file."""
        return sorted(path.name for path in self.folder.rglob("*") if path.is_file())

    def close(self):
        # Lazily: a flow that failed may hold a deleted file of its spool open until its process ends.
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)  # noqa: S607 - of the system


@pytest.fixture
def disk(tmp_path):
    made = Disk(tmp_path / "disk")
    yield made
    made.close()


@pytest.fixture
def spool(tmp_path, monkeypatch):
    """The disk on which flows spool what they read."""
    made = Disk(tmp_path / "state" / "work")
    monkeypatch.setenv("KUBEFERRY_HOME", str(tmp_path))
    yield made
    made.close()


@pytest.fixture(scope="module")
def bulky(bench):
    """A namespace that is larger than a small disk, and a backup of it."""
    ns = bench.namespace("bulky")
    for number in range(3):
        bench.make(BULK.format(number=number, text=os.urandom(100_000).hex()), ns)
    return ns, bench.backup(ns)


def test_a_backup_whose_spool_is_full_is_none_and_works_afterwards(rig, bulky, spool):
    ns, _ = bulky
    asked = name()
    with rig.refused(f"^{spool.folder}\\S*: {FULL}: KUBEFERRY_HOME moves", DiskError):
        rig.bench.backup(ns, name=asked)
    rig.no_backup(asked)
    assert [each for each in spool.left() if not each.endswith(".lock")] == []
    spool.grow()
    assert prove(rig.bench.where["store"], rig.bench.backup(ns, name=asked).name, deep=True).proved


def test_a_restore_whose_spool_is_full_writes_nothing_and_works_afterwards(rig, bulky, spool):
    ns, saved = bulky
    copy = rig.bench.name()
    with rig.refused(f"{spool.folder}.*{FULL}", (DiskError, StoreError)):
        rig.restore(saved, map={ns: copy})
    assert not [path for method, path in rig.b.seen if method == "POST"]
    assert [each for each in spool.left() if not each.endswith(".lock")] == []
    spool.grow()
    assert rig.restore(saved, map={ns: copy}).problems == []
    held = rig.bench.get("ConfigMap", copy, "bulk-1", B)["data"]
    assert held == rig.bench.get("ConfigMap", ns, "bulk-1", A)["data"]


def test_a_store_that_is_full_holds_no_backup_and_its_name_is_free(rig, bulky, disk):
    ns, _ = bulky
    asked = name()
    with rig.refused(rf"^store {disk.store}: backups/{asked}/\S+: {FULL}$", StoreError):
        rig.bench.backup(ns, name=asked, store=disk.store)
    rig.no_backup(asked, disk.store)
    assert not [each for each in disk.left() if each.startswith(".kubeferry-tmp-")]
    disk.grow()
    rig.bench.backup(ns, name=asked, store=disk.store)
    assert prove(disk.store, asked, deep=True).proved


def test_a_store_that_is_full_before_a_backup_is_reported_before_anything_is_read(rig, kiosk, disk):
    disk.fill()
    with rig.refused(rf"^store {disk.store}: \S+: {FULL}", StoreError):
        rig.backup(kiosk.ns, store=disk.store)
    assert not [path for _, path in rig.a.seen if "configmaps" in path]
    disk.free()
    assert prove(disk.store, rig.backup(kiosk.ns, store=disk.store).name, deep=True).proved


@pytest.mark.parametrize(("level", "file"), [(0, r"restore\.json"), (1, r"\w+/\d{8}\.jsonl(\.gz)?")])
def test_a_restore_whose_journal_finds_no_room_rolls_back_all_or_reports(rig, kiosk, disk, level, file):
    """`level` 0: full before it writes anything; 1: in the middle, when it has created what it must roll back."""
    disk.grow()
    saved = rig.bench.backup(kiosk.ns, store=disk.store)
    copy = rig.bench.namespace(context=B)
    before = rig.there(copy)
    if level:
        rig.b.rules = [rule := Rule("POST", f"/{copy}/configmaps", doing(disk.fill))]
    else:
        disk.fill()
    with rig.refused(
        rf"^store {disk.store}: restores/{saved.name}-restore-[^/ ]+/kubeferry-{file}: {FULL}$", StoreError
    ) as caught:
        rig.restore(saved, map={kiosk.ns: copy}, store=disk.store)
    if level:
        assert rule.done == 1
        assert caught.value.result.taken_back.left, "what is not journalled is not rolled back"
        disk.free()
        rig.undo(caught.value.result, store=disk.store)
    else:
        disk.free()
    rig.bench.until(lambda: rig.there(copy) == before)
    rig.quiet()
    rig.same_namespace(kiosk, rig.restore(saved, map={kiosk.ns: copy}, store=disk.store))
