"""Tell the garbage collector what stays."""

from __future__ import annotations

import gc
from functools import cache


@cache
def settle() -> None:
    """Have it leave alone what the process holds by now, once for each process.

    Prefect alone is half a million objects that never go. Each full collection looks at all of them, for a fifth of a
    second in which no thread runs, and work on many objects is what brings collections about.
    """
    gc.collect()
    gc.freeze()
