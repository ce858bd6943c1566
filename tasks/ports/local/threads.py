"""Run one function on many items in a bounded number of threads, only a bounded distance ahead of the reader."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from threading import Semaphore
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")
R = TypeVar("R")

_POOL = ThreadPoolExecutor(max_workers=10_000, thread_name_prefix="in_threads")
"""A shared pool: a restore of a small namespace would otherwise create and end forty threads. It adds a thread when
none is idle, so that work may itself run work in threads; each caller limits its own concurrency."""


def in_threads(work: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """Yield `work(item)` in the order of `items`, at most `threads` at a time and 4 x `threads` ahead of the reader.

    The first exception is raised to the reader in its order; items that have not started by then never start. Work sees
    the reader's context variables: the progress listener, and the task whose log it writes to. When the iterator ends
    or is closed, no work is running.
    """
    room, ahead = Semaphore(threads), deque[Future[R]]()
    try:
        for item in items:
            room.acquire()
            if ahead and ahead[0].done() and ahead[0].exception():
                break
            ahead.append(_POOL.submit(copy_context().run, work, item))
            ahead[-1].add_done_callback(lambda _: room.release())
            if len(ahead) >= 4 * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        wait(ahead)
