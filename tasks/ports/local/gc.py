"""Collect garbage less often, and keep long-lived objects out of it (`gc.freeze`)."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def loading() -> Iterator[None]:
    """Disable collection while modules are imported, then freeze the objects that they created.

    None of these objects becomes garbage, but they are so many that the collector would scan all of them a dozen times.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


OFTEN = 100_000
"""New objects, less those freed, after which the youngest are collected; Python's own default of 700 is for little
memory. A tenth of the start of a command was spent looking for garbage among its modules, of which there is none."""


def seldom() -> None:
    """Collect the garbage of this process less often, as the first act of a command."""
    gc.set_threshold(OFTEN, *gc.get_threshold()[1:])


def leave() -> None:
    """Freeze all objects as the last act before the process exits: the operating system frees the memory at once."""
    gc.freeze()


@cache
def settle() -> None:
    """Freeze the objects that the process holds now; once per process.

    Prefect alone holds half a million objects for the life of the process. Each full collection scans all of them and
    stops every thread for a fifth of a second, and work on many objects triggers collections.
    """
    gc.collect()
    gc.freeze()
