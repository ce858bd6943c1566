"""Runs that are started by a lean client are reported to Prefect like any others, by fewer requests."""

import asyncio
from collections import Counter

import pytest
from httpx import AsyncClient
from prefect import flow, get_run_logger
from tests.support.limits import until
from tests.support.prefect_api import Api

from kubeferry.tasks.ports.prefect.subflows import lean
from kubeferry.tasks.step import as_one, side_by_side

FILTER = "POST /flow_runs/filter"


@flow(name="lean-child", persist_result=False)
async def child(number):
    if number == 1:
        raise ValueError("of this number")
    await as_one(f"count {number}", lambda: asyncio.sleep(0, number))
    get_run_logger().info(f"counted {number}")
    return number


@flow(name="lean-parent", persist_result=False)
async def parent():
    async with lean(lambda _, parameters: f"child {parameters['number']}"):
        return await side_by_side(_state, range(3), 3)


async def _state(number):
    return (await child(number, return_state=True)).name


@pytest.fixture
def asked(monkeypatch):
    """Requests to Prefect's API: `POST /flow_runs/set_state` → how many."""
    counts, send = Counter(), AsyncClient.send

    async def counted(self, request, **options):
        parts = [part for part in request.url.path.removeprefix("/api").split("/") if len(part) < 36]
        counts[f"{request.method} {'/'.join(parts)}"] += 1
        return await send(self, request, **options)

    monkeypatch.setattr(AsyncClient, "send", counted)
    return counts


def _runs(api, name):
    (run,) = api.ask("/flow_runs/filter", {"flows": {"name": {"any_": [name]}}, "sort": "START_TIME_DESC", "limit": 1})
    return run


def _children(api, run):
    wanted = {"flow_runs": {"parent_flow_run_id": {"any_": [run["id"]]}}, "sort": "NAME_ASC"}
    return api.ask("/flow_runs/filter", wanted)


def _all_that_say_something(api, runs):
    """Return the lines of each run's log, once those of the failed one are all there: Prefect sends them every 2 s."""
    found = [api.logs(each) for each in runs]
    return found if all(found) and any("Finished in state Failed" in line for line in found[1]) else None


def test_children_are_in_prefect_with_name_parent_states_and_times(run_flow, prefect_server):
    names = run_flow(parent())
    api = Api(prefect_server)
    run = _runs(api, "lean-parent")
    children = _children(api, run)
    assert [each["name"] for each in children] == ["child 0", "child 1", "child 2"]
    assert [each["state_type"] for each in children] == ["COMPLETED", "FAILED", "COMPLETED"]
    assert "of this number" in children[1]["state"]["message"]
    assert [each["run_count"] for each in children] == [1, 1, 1]
    assert all(each["start_time"] and each["end_time"] and each["parameters"] for each in children)
    assert names == ["Completed", "Failed", "Completed"]
    history = api.ask(f"/flow_run_states/?flow_run_id={children[0]['id']}")
    assert {"RUNNING", "COMPLETED"} == {each["type"] for each in history}
    logs = until(lambda: _all_that_say_something(api, children))
    assert (logs[0], logs[2]) == (["counted 0"], ["counted 2"]), "what its states say is not logged again"


def test_three_requests_report_a_child(run_flow, asked):
    run_flow(parent())
    assert asked["POST /task_runs/"] == 3
    assert asked["POST /flow_runs/"] == 1 + 3
    assert asked["POST /flow_runs/set_state"] == 2 + 3
    assert asked[FILTER] + asked["PATCH /flow_runs"] == 0
    assert asked["GET /flow_runs"] == 1, "the parent's own, once it is Running"


def test_a_flow_that_is_tried_again_asks_for_the_runs_of_its_first_try(run_flow, prefect_server, asked):
    tries = []

    @flow(name="lean-twice", retries=1, persist_result=False)
    async def twice():
        async with lean(lambda _, parameters: f"child {parameters['number']}"):
            await child(0)
        tries.append(asked[FILTER])
        if len(tries) == 1:
            raise ValueError("the first time")

    run_flow(twice())
    assert tries == [0, 1], "only the second try can have children already"
    children = _children(Api(prefect_server), _runs(Api(prefect_server), "lean-twice"))
    assert {"COMPLETED"} == {each["state_type"] for each in children}
