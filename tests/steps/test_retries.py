"""Which errors a step is tried again for, how often, and that steps side by side all come to their end."""

import asyncio
import errno
from types import SimpleNamespace

import pytest

from kubeferry.tasks import step
from kubeferry.tasks.core.errors import (
    DiskError,
    ExpiredError,
    ForbiddenError,
    PreflightError,
    StoreUnavailableError,
    UnavailableError,
    UnreachableError,
)

PASSING = (UnavailableError("busy"), UnreachableError("gone"), StoreUnavailableError("away"))
LASTING = (ForbiddenError("no"), PreflightError("lacks", ["a right"]), ExpiredError("old"), ValueError("a mistake"))
"""A revision that is gone stays gone: who asked for it takes another."""


@pytest.mark.parametrize("error", [*PASSING, *LASTING], ids=lambda error: type(error).__name__)
def test_prefect_tries_a_step_again_only_for_what_may_pass(error):
    async def aresult(raise_on_failure):
        assert not raise_on_failure
        return error

    again = asyncio.run(step.transient(None, None, SimpleNamespace(aresult=aresult)))
    assert again is (error in PASSING)


@pytest.fixture
def joined(monkeypatch):
    """Run a step inside another one, which fails with these errors one after the other; return how often it ran."""
    monkeypatch.setattr(step, "BACKOFF", 0)

    def run(*errors):
        left, ran = list(errors), []

        @step.step("{name}")
        async def work(name):
            await asyncio.sleep(0)
            ran.append(name)
            if left:
                raise left.pop(0)
            return name

        async def inside():
            step._joined.set(True)
            try:
                return await work("one")
            except Exception as error:  # noqa: BLE001 - it is returned
                return error

        return asyncio.run(inside()), len(ran)

    return run


def test_a_step_inside_another_one_is_tried_again_as_often_as_one_of_its_own(joined):
    assert joined() == ("one", 1)
    assert joined(*PASSING) == ("one", 1 + step.RETRIES)
    last = UnavailableError("still busy")
    assert joined(*PASSING, last) == (last, 1 + step.RETRIES)


@pytest.mark.parametrize("error", LASTING, ids=lambda error: type(error).__name__)
def test_a_step_inside_another_one_is_not_tried_again_for_what_stays(joined, error):
    assert joined(error) == (error, 1)
    assert joined(PASSING[0], error) == (error, 2)


def test_steps_side_by_side_all_come_to_their_end_before_the_first_error_is_raised():
    ended, working, most = [], [], []

    async def work(number):
        working.append(number)
        most.append(len(working))
        await asyncio.sleep(0.01 * number)
        working.remove(number)
        ended.append(number)
        if number in (1, 2):
            raise ValueError(number)
        return number

    with pytest.raises(ValueError, match=r"^1$"):
        asyncio.run(step.side_by_side(work, range(5), limit=3))
    assert (sorted(ended), max(most)) == ([0, 1, 2, 3, 4], 3)
    assert asyncio.run(step.side_by_side(work, [4, 3, 0])) == [4, 3, 0]


def test_a_full_disk_is_an_error_of_ours_that_a_restore_is_rolled_back_for():
    def fill():
        raise OSError(errno.ENOSPC, "No space left on device", "/spool")

    with pytest.raises(DiskError, match="/spool: No space left on device"):
        asyncio.run(step.in_thread(fill))
