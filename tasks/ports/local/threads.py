"""Run one function on many items in a bounded number of threads, without beginning more work than is wanted next."""

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
"""Threads that are kept and lent: a restore of a small namespace would make and end forty. It makes one where none is
idle, so that work may itself run work in threads; how many are at work at once, each caller says."""


def in_threads(work: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """Yield `work(item)` in the order of `items`, at most `threads` at a time and 4 x `threads` ahead of the reader.

    The first exception is raised to the reader when its turn comes; what had not begun by then never does. Work sees
    the reader's context variables: whoever listens to progress, and the task whose log it writes to. None of it is
    under way any more when the iterator ends or is closed.
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
