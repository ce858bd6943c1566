"""How many requests at once: what the rule learns from answers."""

from kubeferry.tasks.core.ops.concurrency import FIRST, LEAST, MOST, ConcurrencyLimit


def answers(pace, seconds, count, *, what="GET ", under_way=None, refused=False):
    for _ in range(count):
        pace.answered(what, seconds, pace.room if under_way is None else under_way, refused=refused)


def test_it_grows_while_answers_stay_fast_and_all_room_is_used():
    pace = ConcurrencyLimit()
    answers(pace, 0.01, 2000)
    assert pace.room == MOST


def test_it_does_not_grow_where_the_room_is_not_used():
    pace = ConcurrencyLimit()
    answers(pace, 0.01, 2000, under_way=1)
    assert pace.room == FIRST


def test_slow_answers_make_it_shrink_to_the_least_and_not_below():
    pace = ConcurrencyLimit()
    answers(pace, 0.01, 50)
    answers(pace, 0.5, 300)
    assert LEAST <= pace.room < FIRST
    answers(pace, 60, 5000)
    assert pace.room >= LEAST


def test_one_refusal_halves_it_once_however_many_were_under_way():
    pace = ConcurrencyLimit()
    answers(pace, 0.01, FIRST, refused=True)
    assert pace.room == FIRST // 2
    answers(pace, 0.01, 1000, refused=True)
    assert pace.room == LEAST


def test_it_recovers_when_answers_are_fast_again():
    pace = ConcurrencyLimit()
    answers(pace, 0.01, 100, refused=True)
    assert pace.room == LEAST
    answers(pace, 0.01, 2000)
    assert pace.room == MOST


def test_a_list_that_takes_long_is_no_slow_get():
    pace = ConcurrencyLimit()
    for _ in range(500):
        answers(pace, 0.01, 1)
        answers(pace, 1.0, 1, what="GET list")
    assert pace.room > FIRST


def test_answers_that_are_slower_for_good_become_the_new_measure():
    pace = ConcurrencyLimit()
    answers(pace, 0.01, 100)
    answers(pace, 0.08, 3000)
    assert pace.room > FIRST
