"""A Prefect API that goes away while a flow runs is reported in one line, with the ways on."""

import asyncio

import httpx
import pytest

from kubeferry.flows.console.run import _inside
from kubeferry.tasks.core.errors import CredentialsError, UnreachableError

LOST = httpx.ConnectError("All connection attempts failed")
REQUEST = httpx.Request("POST", "http://127.0.0.1:1/api/flow_runs/")
BROKEN = httpx.HTTPStatusError("Server error '500'\nFor more", request=REQUEST, response=httpx.Response(500))


@pytest.mark.parametrize(("error", "cause"), [(LOST, "All connection attempts failed"), (BROKEN, "Server error '500'")])
def test_a_prefect_api_that_goes_away_is_reported_with_the_ways_on(monkeypatch, error, cause):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")

    async def flow():
        raise error

    with pytest.raises(UnreachableError) as caught:
        asyncio.run(_inside(flow))
    line = str(caught.value)
    assert line.startswith(f"the Prefect API at http://127.0.0.1:1/api answers no more: {cause}; ")
    assert "kubeferry restore --resume NAME resumes a restore, kubeferry undo NAME undoes it" in line
    assert "\n" not in line


@pytest.mark.parametrize("status", [401, 403])
def test_one_that_refuses_the_credentials_is_reported_as_such(monkeypatch, status):
    """Its health check asks for none, so that it is the flow which finds out."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")

    async def flow():
        raise httpx.HTTPStatusError("Client error\nFor more", request=REQUEST, response=httpx.Response(status))

    with pytest.raises(
        CredentialsError, match=rf"refuses the credentials \(HTTP {status}\): set PREFECT_API_AUTH"
    ) as caught:
        asyncio.run(_inside(flow))
    assert "\n" not in str(caught.value)
