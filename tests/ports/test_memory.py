"""What stays is left alone by the garbage collector, and what comes is not."""

import gc
import weakref

from tasks.ports.memory import settle


class Knot:
    """An object that only the garbage collector can free."""

    def __init__(self):
        self.own = self


def test_what_is_there_is_left_alone_and_what_comes_is_collected():
    settle()
    kept = gc.get_freeze_count()
    assert kept > 10_000
    gone = weakref.ref(Knot())
    gc.collect()
    assert gone() is None
    settle()
    assert gc.get_freeze_count() <= kept, "once for a process: what came since is not kept for ever"
