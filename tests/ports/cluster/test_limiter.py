"""No more requests are under way than the pace allows, whoever sends them."""

from threading import Barrier, Lock, Thread

import pytest

from kubeferry.tasks.core.ops.concurrency import LEAST, ConcurrencyLimit
from kubeferry.tasks.ports.cluster.limiter import Limiter


def test_no_more_get_through_than_there_is_room_for():
    gate, lock, now, most = Limiter(ConcurrencyLimit(limit=LEAST, sample=0)), Lock(), [0], [0]
    gate.pace.answered = lambda *_, **__: None  # the room stays
    inside = Barrier(LEAST)

    def ask():
        for _ in range(4):
            with gate.through("GET"):
                with lock:
                    now[0] += 1
                    most[0] = max(most[0], now[0])
                inside.wait(timeout=60)  # as many as there is room for do get through at once
                with lock:
                    now[0] -= 1

    threads = [Thread(target=ask) for _ in range(5 * LEAST)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert gate.under_way == 0
    assert most[0] == LEAST


def test_a_refusal_halves_the_room_even_if_the_request_then_fails():
    gate = Limiter(ConcurrencyLimit(limit=16, sample=0))

    def fail():
        with gate.through("POST") as refuse:
            refuse()
            raise KeyError("no answer")

    with pytest.raises(KeyError, match="no answer"):
        fail()
    assert gate.pace.room == 8
    assert gate.under_way == 0


def test_a_request_without_an_answer_teaches_nothing():
    gate = Limiter(ConcurrencyLimit(limit=16, sample=0))

    def fail():
        with gate.through("POST"):
            raise KeyError("no answer")

    with pytest.raises(KeyError, match="no answer"):
        fail()
    assert gate.pace.room == 16
    assert gate.pace.calm == {}
