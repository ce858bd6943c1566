"""What a flow run knows of its deployment."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from uuid import uuid4

import httpx
import pytest
from prefect.exceptions import ObjectNotFound

from kubeferry.tasks.ports.prefect import runs

DEPLOYMENT = uuid4()


def asked(monkeypatch, context, answer):
    """Return the name that a run in a context gets, from a server that knows one deployment."""

    async def read_deployment(deployment):
        assert deployment == DEPLOYMENT
        return answer()

    @asynccontextmanager
    async def client():
        yield SimpleNamespace(read_deployment=read_deployment)

    monkeypatch.setattr(runs, "get_client", client)
    monkeypatch.setattr(runs, "FlowRunContext", SimpleNamespace(get=lambda: context))
    return asyncio.run(runs.deployment_name())


def gone():
    raise ObjectNotFound(httpx.HTTPError("404"))


def never():
    raise AssertionError("nobody is asked")


def run(deployment):
    return SimpleNamespace(flow_run=SimpleNamespace(deployment_id=deployment))


@pytest.mark.parametrize(
    ("context", "answer", "name"),
    [
        (None, never, ""),
        (SimpleNamespace(flow_run=None), never, ""),
        (run(None), never, ""),
        (run(DEPLOYMENT), lambda: SimpleNamespace(name="nightly"), "nightly"),
        (run(DEPLOYMENT), gone, ""),
    ],
)
def test_the_name_of_its_deployment(monkeypatch, context, answer, name):
    assert asked(monkeypatch, context, answer) == name
