"""What stays is left alone by the garbage collector, and what comes is not."""

import gc
import sys
import weakref

import pytest

from kubeferry.flows import cli
from kubeferry.tasks.ports.local.gc import OFTEN, leave, loading, seldom, settle


class Cycle:
    """An object that only the garbage collector can free."""

    def __init__(self):
        self.own = self


def test_what_is_there_is_left_alone_and_what_comes_is_collected():
    settle()
    kept = gc.get_freeze_count()
    assert kept > 10_000
    gone = weakref.ref(Cycle())
    gc.collect()
    assert gone() is None
    settle()
    assert gc.get_freeze_count() <= kept, "once for a process: what came since is not kept for ever"


@pytest.fixture
def _thawed():
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("_thawed")
def test_nothing_is_looked_through_while_modules_are_imported_and_what_came_stays():
    known = gc.get_freeze_count()
    with loading():
        assert not gc.isenabled()
        kept = [[each] for each in range(100)]
    assert gc.isenabled()
    assert gc.get_freeze_count() > known + len(kept)


@pytest.mark.usefixtures("_thawed")
def test_an_import_that_fails_leaves_the_collector_at_work():
    with pytest.raises(ImportError), loading():
        raise ImportError
    assert gc.isenabled()


def test_garbage_of_a_command_is_collected_seldom_but_collected():
    before = gc.get_threshold()
    try:
        seldom()
        gc.collect()
        gone = weakref.ref(Cycle())
        few = [[] for _ in range(OFTEN // 10)]
        assert gone() is not None
        few += [[] for _ in range(2 * OFTEN)]
        assert gone() is None
    finally:
        gc.set_threshold(*before)


@pytest.mark.usefixtures("_thawed")
def test_what_is_there_when_a_process_ends_is_looked_through_no_more():
    cycle = Cycle()
    leave()
    gone = weakref.ref(cycle)
    del cycle
    gc.collect()
    assert gone() is not None


def test_a_command_leaves_so_only_when_the_process_is_its_own(monkeypatch):
    left = []
    monkeypatch.setattr(cli.gc, "leave", lambda: left.append(True))
    monkeypatch.setattr(sys, "argv", ["kubeferry", "--version"])
    for arguments, times in ((["--version"], 0), (None, 1)):
        with pytest.raises(SystemExit):
            cli.main(arguments)
        assert len(left) == times
