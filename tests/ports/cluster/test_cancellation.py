"""What many threads wait under ends for all of them at once."""

import pytest

from kubeferry.tasks.ports.cluster.cancellation import Cancellation


def test_it_ends_what_is_under_way_and_what_is_yet_to_come():
    stop, ended = Cancellation(), []
    with stop.ends(lambda: ended.append("over before")):
        assert not stop.is_set()
    with stop.ends(lambda: ended.append("one")), stop.ends(lambda: ended.append("two")):
        stop.set()
        assert (stop.is_set(), ended) == (True, ["one", "two"])
    with stop.ends(lambda: ended.append("late")):
        pass
    assert ended == ["one", "two", "late"]


@pytest.mark.parametrize("error", [OSError("not connected"), RuntimeError("released"), ValueError("closed")])
def test_a_stream_that_came_to_its_own_end_hinders_no_other(error):
    stop, ended = Cancellation(), []

    def broken():
        raise error

    with stop.ends(broken), stop.ends(lambda: ended.append("other")):
        stop.set()
    assert ended == ["other"]
