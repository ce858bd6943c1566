"""Work in threads: in order, bounded, and over at the first error."""

import subprocess
import sys
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.support.limits import LIMIT

from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.threads import in_threads

INTERRUPTED = """
import threading
from kubeferry.tasks.ports.local.threads import in_background
start = threading.Thread.start
def interrupted(thread):
    start(thread)
    raise KeyboardInterrupt
threading.Thread.start = interrupted
try:
    in_background(lambda: None)
except KeyboardInterrupt:
    threading.Thread.start = start
    print(in_background(lambda: "goes on").result())
"""


def test_a_process_ends_after_an_interrupt_while_a_thread_begins():
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=LIMIT, check=True
    )
    assert done.stdout == "goes on\n"


def test_results_come_in_the_order_of_the_items():
    """The first item ends last."""
    last = threading.Event()

    def work(item):
        if item == 0:
            assert last.wait(LIMIT)
        if item == 3:
            last.set()
        return item * 10

    assert list(in_threads(work, range(40), 4)) == [item * 10 for item in range(40)]


def test_no_items_no_results():
    assert list(in_threads(str, [], 4)) == []


def test_at_most_so_many_run_at_once_and_so_many_do():
    running, most, lock, together = 0, 0, threading.Lock(), threading.Barrier(3)

    def work(_):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(LIMIT)
        with lock:
            running -= 1

    list(in_threads(work, range(30), 3))
    assert most == 3


def test_a_slow_reader_is_not_overtaken_by_far():
    """Items are taken only 4 x threads ahead, so that a large input is never in memory."""
    taken = 0

    def items():
        nonlocal taken
        for item in range(1000):
            taken += 1
            yield item

    reader = in_threads(str, items(), 2)
    assert next(reader) == "0"
    assert taken == 8
    assert next(reader) == "1"
    assert taken == 9
    reader.close()


class BrokenError(Exception):
    """What a test's work raises."""


def test_the_first_error_by_order_is_raised_and_nothing_begins_after(monkeypatch):
    begun, release = [], threading.Event()

    class Items(deque):
        """What waits for a thread; the threads that are at work go on once the reader has thrown it away."""

        def clear(self):
            super().clear()
            release.set()

    def work(item):
        begun.append(item)
        if item == 0:
            raise BrokenError("first")
        if item == 1:
            raise BrokenError("second")
        release.wait(60)

    monkeypatch.setattr("kubeferry.tasks.ports.local.threads.deque", Items)
    results = in_threads(work, range(100), 2)
    with pytest.raises(BrokenError, match="first"):
        list(results)
    assert len(begun) <= 4
    number = len(begun)
    with ThreadPoolExecutor(1) as pool:  # whatever was queued would have run by the time this has
        pool.submit(int).result()
    assert len(begun) == number


def test_an_error_of_the_items_is_raised_too():
    def items():
        yield 1
        raise BrokenError("items")

    with pytest.raises(BrokenError, match="items"):
        list(in_threads(str, items(), 2))


def test_a_reader_that_leaves_stops_the_work():
    begun = []
    reader = in_threads(begun.append, range(1000), 2)
    next(reader)
    reader.close()
    assert len(begun) <= 9


class Recorder:
    def __init__(self):
        self.steps, self.notes = [], []

    def step(self, name, done, total):
        self.steps.append((name, done, total))

    def note(self, text):
        self.notes.append(text)


def test_progress_inside_threads_is_recorded():
    recorded = Recorder()
    with progress.listening(recorded):
        list(in_threads(progress.note, ["a", "b"], 2))
    assert sorted(recorded.notes) == ["a", "b"]


def test_progress_reaches_the_innermost_listener_only_and_nobody_outside():
    outer, inner = Recorder(), Recorder()
    progress.step("fetch", 1)
    with progress.listening(outer):
        progress.step("fetch", 1, 2)
        with progress.listening(inner):
            progress.note("inside")
        progress.note("outside")
    progress.note("nobody")
    assert (outer.steps, outer.notes, inner.notes) == ([("fetch", 1, 2)], ["outside"], ["inside"])


def test_a_listener_is_forgotten_after_an_error():
    recorded = Recorder()
    with pytest.raises(BrokenError), progress.listening(recorded):
        raise BrokenError
    progress.note("late")
    assert recorded.notes == []


def test_an_iterator_that_nobody_ends_does_not_keep_the_process():
    """The traceback of an error that ends a program keeps its frames, and so the iterator, until after its threads."""
    program = (
        "from kubeferry.tasks.ports.local.threads import in_threads\n"
        "for each in in_threads(str, range(100), 4):\n"
        "    raise SystemError('the end')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 1
    assert "the end" in done.stderr
