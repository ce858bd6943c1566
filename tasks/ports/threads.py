"""Run one function on many items in a bounded pool of threads, without queueing more work than is wanted next."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")
R = TypeVar("R")


def in_threads(work: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """Yield `work(item)` in the order of `items`, at most `threads` at a time and 4 x `threads` ahead of the reader.

    The first exception is raised to the reader when its turn comes; what had not begun by then never does. Work sees
    the reader's context variables: whoever listens to progress, and the task whose log it writes to.
    """
    with ThreadPoolExecutor(max_workers=threads) as pool:
        ahead: deque[Future[R]] = deque()
        try:
            for item in items:
                ahead.append(pool.submit(copy_context().run, work, item))
                if len(ahead) >= 4 * threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()
