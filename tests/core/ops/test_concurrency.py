"""How many requests at once: what the rule learns from answers."""

from kubeferry.tasks.core.ops.concurrency import AGAIN, CALM, FIRST, LEAST, MOST, SAMPLE, ConcurrencyLimit


def answers(pace, seconds, count, *, what="GET ", under_way=None, refused=False):
    for _ in range(count):
        pace.answered(what, seconds, pace.room if under_way is None else under_way, refused=refused)


def begun(limit=FIRST):
    """Return a limit that knows what an answer takes with next to nothing in flight: 10 ms."""
    pace = ConcurrencyLimit(limit=limit)
    answers(pace, 0.01, SAMPLE)
    return pace


def test_it_begins_with_next_to_nothing_in_flight():
    pace = ConcurrencyLimit()
    assert pace.room == CALM
    answers(pace, 0.01, SAMPLE)
    assert pace.room == FIRST


def test_it_grows_while_answers_stay_fast_and_all_room_is_used():
    pace = ConcurrencyLimit()
    answers(pace, 0.01, 2000)
    assert pace.limit == MOST


def test_it_does_not_grow_where_the_room_is_not_used():
    pace = ConcurrencyLimit()
    answers(pace, 0.01, 2000, under_way=1)
    assert pace.limit == FIRST


def test_slow_answers_make_it_shrink_to_the_least_and_not_below():
    pace = begun(16)
    answers(pace, 0.5, 300)
    assert LEAST <= pace.limit < 16
    answers(pace, 60, 300)
    assert pace.limit == LEAST


def test_answers_that_take_twice_as_long_are_slow():
    pace = begun(16)
    answers(pace, 0.02, 500)
    assert pace.limit == LEAST


def test_one_refusal_halves_it_once_however_many_were_under_way():
    pace = begun(16)
    answers(pace, 0.01, 16, refused=True)
    assert pace.room == 8
    answers(pace, 0.01, 1000, refused=True)
    assert pace.room == LEAST


def test_it_recovers_when_answers_are_fast_again():
    pace = begun(16)
    answers(pace, 0.01, 100, refused=True)
    assert pace.room == LEAST
    answers(pace, 0.01, 3000)
    assert pace.limit == MOST


def test_a_list_that_takes_long_is_no_slow_get():
    pace = ConcurrencyLimit()
    for _ in range(500):
        answers(pace, 0.01, 1)
        answers(pace, 1.0, 1, what="GET list")
    assert pace.limit > FIRST


def test_what_was_never_asked_before_is_measured_first():
    pace = begun(16)
    answers(pace, 0.5, 1, what="PATCH ")
    assert pace.room == CALM
    answers(pace, 0.5, SAMPLE, what="PATCH ")
    assert (pace.room, pace.slowness) == (16, 1.0)


def test_what_was_sent_before_a_measurement_does_not_count_for_it():
    pace = begun(16)
    answers(pace, 0.5, 10, what="PATCH ", under_way=16)
    assert (pace.room, pace.calm) == (CALM, begun().calm)


def test_answers_that_are_slower_for_good_become_the_new_measure():
    pace = begun(16)
    answers(pace, 0.08, 500)
    assert pace.limit == LEAST
    answers(pace, 0.08, 20 * AGAIN)
    assert pace.limit > 16
