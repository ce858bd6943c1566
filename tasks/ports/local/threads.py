"""Run work in threads: one piece, or one function on many items, only a bounded distance ahead of the reader."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import Context, copy_context
from functools import partial
from threading import Condition, Lock
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 4
"""Items that are taken ahead of the reader, for each thread."""

_new_pool = partial(ThreadPoolExecutor, max_workers=10_000, thread_name_prefix="in_threads")
_pools = [_new_pool()]
"""A shared pool: a restore of a small namespace would otherwise create and end forty threads. It adds a thread when
none is idle, so that work may itself run work in threads; each caller limits its own concurrency."""


def in_background(work: Callable[[], R]) -> Future[R]:
    """Begin work in a thread of its own; return what becomes of it."""
    pool = _pools[0]
    try:
        return pool.submit(work)
    except BaseException:
        # An interrupt while a thread begins: the pool does not know that thread, and at the end of the process it would
        # be waited for. A pool that is shut down ends it when it has nothing to do.
        _pools[0] = _new_pool()
        pool.shutdown(wait=False)
        raise


def in_threads(work: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """Yield `work(item)` in the order of `items`, at most `threads` at a time and 4 x `threads` ahead of the reader.

    The first exception is raised to the reader in its order; items that have not started by then never start. Work sees
    the reader's context variables: the progress listener, and the task whose log it writes to. When the iterator ends
    or is closed, no work is running.
    """
    running = _Running(work, threads)
    taken = read = 0
    try:
        for item in items:
            running.add(taken, item)
            taken += 1
            if taken - read >= AHEAD * threads:
                yield running.result(read)
                read += 1
        while read < taken:
            yield running.result(read)
            read += 1
    finally:
        running.close()


class _Running(Generic[T, R]):
    """Workers that take items from one queue, and end when there is none: an iterator that nobody ends holds no thread.

    A wake-up of a thread costs more than many an item does, so the reader is woken only by the one that it waits for:
    by then others are done, too.
    """

    def __init__(self, work: Callable[[T], R], threads: int) -> None:
        self._work, self._threads = work, threads
        self._items: deque[tuple[int, Context, T]] = deque()
        self._workers: set[Future[None]] = set()
        self._at_work = 0
        self._lock = Lock()
        self._results: dict[int, tuple[R | None, BaseException | None]] = {}
        self._awaited = -1
        self._arrived = Condition()

    def add(self, number: int, item: T) -> None:
        """Have an item worked on."""
        with self._lock:
            self._items.append((number, copy_context(), item))
            if self._at_work == self._threads:
                return
            self._at_work += 1
        worker = in_background(self._loop)
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)

    def result(self, number: int) -> R:
        """Return the result of an item, or raise its exception."""
        if number not in self._results:
            self._awaited = number  # before it looks again: a worker looks here after it has put its result there
            with self._arrived:
                self._arrived.wait_for(lambda: number in self._results)
        found, error = self._results.pop(number)
        if error is not None:
            raise error
        return found  # type: ignore[return-value] # without an error it is the result

    def close(self) -> None:
        """Begin no other item, and return when no work is running."""
        with self._lock:
            self._items.clear()
        wait(self._workers.copy())

    def _loop(self) -> None:
        while given := self._next():
            number, context, item = given
            try:
                self._results[number] = (context.run(self._work, item), None)
            except BaseException as error:  # noqa: BLE001 - it is raised to the reader
                self._results[number] = (None, error)
            if self._awaited == number:
                with self._arrived:
                    self._arrived.notify()

    def _next(self) -> tuple[int, Context, T] | None:
        with self._lock:
            if self._items:
                return self._items.popleft()
            self._at_work -= 1
            return None
