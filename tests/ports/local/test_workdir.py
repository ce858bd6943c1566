"""A run's folder is private and removed with the run, also when the run is killed."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.limits import LIMIT

from kubeferry.tasks.ports.local.workdir import is_own, workdir

HOLDER = """
import sys
from kubeferry.tasks.ports.local.workdir import workdir
with workdir() as folder:
    (folder / "secret").write_text("in the clear")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBEFERRY_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def holder():
    """Another process inside a workdir of its own, and the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    with process:
        yield process, Path(process.stdout.readline().strip())
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)


def test_it_is_its_owners_alone_and_removed_at_the_end():
    with workdir() as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
        (folder / "deep" / "er").mkdir(parents=True)
        (folder / "deep" / "er" / "file").write_text("x")
    assert not folder.exists()


def test_it_is_removed_after_an_error_too():
    class BrokenError(Exception):
        pass

    with pytest.raises(BrokenError), workdir() as folder:  # noqa: PT012 - the error is raised by the test itself
        (folder / "file").write_text("x")
        raise BrokenError
    assert not folder.exists()


def test_each_has_its_own_and_leaves_the_others(own_home):
    with workdir() as one, workdir() as two:
        assert one != two
        assert one.is_dir()
        assert sorted((own_home / "state" / "work").glob("run-*")) == sorted([one, two])


def test_what_a_killed_process_left_is_deleted_by_the_next(holder):
    process, folder = holder
    assert (folder / "secret").exists()
    os.kill(process.pid, signal.SIGKILL)
    process.wait(LIMIT)
    assert (folder / "secret").exists()
    with workdir() as mine:
        assert not folder.exists()
        assert mine.is_dir()


def test_a_live_processs_folder_is_left_and_removed_with_it(holder):
    process, folder = holder
    with workdir():
        assert (folder / "secret").exists()
    assert (folder / "secret").exists()
    process.communicate("", timeout=LIMIT)
    assert process.returncode == 0
    assert not folder.exists()


def test_a_folder_without_a_lock_is_nobodys(own_home):
    """Killed between making the folder and its lock."""
    left = own_home / "state" / "work" / "run-abandoned"
    left.mkdir(parents=True)
    with workdir():
        assert not left.exists()


def test_what_is_in_a_folder_of_this_process_is_its_own_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBEFERRY_HOME", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    with workdir() as work:
        (work / "link").symlink_to(tmp_path / "elsewhere")
        assert is_own(work / "store")
        for other in (
            work / ".." / "run-other",
            work / "link" / "store",
            work.parent,
            tmp_path,
            work / ".." / ".." / "x",
        ):
            assert not is_own(other), other
    assert not is_own(work / "store")
