"""Tell the garbage collector what stays."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def loading() -> Iterator[None]:
    """Have it wait while modules are imported, and leave alone what they hold.

    Nothing of that goes, but so many objects are made that it would look through all of them a dozen times.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def leave() -> None:
    """Have it look at nothing more, as the last thing before a process exits: the system takes back all at once."""
    gc.freeze()


@cache
def settle() -> None:
    """Have it leave alone what the process holds by now, once for each process.

    Prefect alone is half a million objects that never go. Each full collection looks at all of them, for a fifth of a
    second in which no thread runs, and work on many objects is what brings collections about.
    """
    gc.collect()
    gc.freeze()
