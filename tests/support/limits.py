"""How long tests wait before they take something for what never ends."""

import time

LIMIT = 1200
"""Seconds for a process or a request. How long one takes says nothing: a busy machine is ten times slower."""


def until(true, seconds=LIMIT):
    """Return what `true` returns, once it is something."""
    limit = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.5)
    return found
