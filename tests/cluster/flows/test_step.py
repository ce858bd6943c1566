"""What Prefect sees of the values that steps give each other."""

import asyncio
from dataclasses import dataclass

from prefect import flow
from tests.support.limits import until
from tests.support.prefect_api import Api

from kubeferry.tasks.step import step


class Many(list):
    """A list that counts how often somebody looks through it."""

    looked = 0

    def __iter__(self):
        Many.looked += 1
        return super().__iter__()


@dataclass(frozen=True, slots=True)
class Held:
    """What one step answers and another one takes."""

    name: str
    many: Many


@step("make {name}")
async def make(name):
    await asyncio.sleep(0)
    return Held(name, Many(range(10)))


@step("use {held.name}")
async def use(held, others):
    return held.name, [each.name for each in others], type(held)


@flow(name="steps", persist_result=False)
async def steps():
    found = [await make("a"), await make("b"), await make("c")]
    return await use(found[0], others=found[1:])


def test_prefect_looks_at_what_a_step_is_given_but_not_into_it(run_flow, prefect_server):
    """Of a backup of hundreds of namespaces, looking into it took a third of the time."""
    Many.looked = 0
    assert run_flow(steps()) == ("a", ["b", "c"], Held)
    assert Many.looked == 0
    api = Api(prefect_server)
    runs = {each["name"]: each for each in until(lambda: _all(api))}
    inputs = {each["id"] for of in runs["use a"]["task_inputs"].values() for each in of}
    assert inputs == {runs[f"make {name}"]["id"] for name in "abc"}, "the picture of the run has its lines"


def _all(api):
    found = api.ask("/task_runs/filter", {"flows": {"name": {"any_": ["steps"]}}})
    return found if {"use a"} <= {each["name"] for each in found} else None
