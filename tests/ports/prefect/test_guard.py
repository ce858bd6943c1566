"""What the local server refuses before Prefect sees it, asked of an application that answers all."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from kubeferry.tasks.ports.prefect.guard import guard


def ask(**headers):
    """Return the status of a request to a server on port 4200."""
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("all of it"))])
    guard(app, 4200)

    async def send():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:4200") as client:
            return (await client.get("/", headers=headers)).status_code

    return asyncio.run(send())


@pytest.mark.parametrize("name", ["127.0.0.1:4200", "localhost:4200", "localhost:9999"])
def test_its_names_are_served_also_through_a_tunnel(name):
    assert ask(Host=name) == 200


@pytest.mark.parametrize("name", ["evil.example", "evil.example:4200", "127.0.0.1.evil.example", "x.localhost"])
def test_another_name_is_not(name):
    assert ask(Host=name) == 400


@pytest.mark.parametrize("origin", ["http://127.0.0.1:4200", "http://localhost:4200"])
def test_its_pages_are_served(origin):
    assert ask(Origin=origin) == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:4201", "https://127.0.0.1:4200", "null"])
def test_pages_of_others_are_not(origin):
    assert ask(Origin=origin) == 403


# --- the server asks itself, in the same process, for its automations (prefect/server/api/clients.py)


def answered(app, url, **headers):
    """Return the status of a request that reaches the application under the address of `url`."""

    async def send():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=url) as client:
            return (await client.get("/", headers=headers)).status_code

    return asyncio.run(send())


def test_the_server_may_ask_itself_by_a_name_that_nobody_else_may_use():
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("all of it"))])
    guard(app, 4200)
    assert answered(app, "http://prefect-in-memory/") == 200
    assert answered(app, "http://127.0.0.1:4200/", Host="prefect-in-memory") == 400


def test_an_application_that_answers_already_is_guarded_once_and_goes_on(monkeypatch):
    """Prefect makes its application once, and asks for it again whenever an automation acts."""
    from prefect.server.api import server

    from kubeferry.tasks.ports.prefect.server_main import guarded

    made = Starlette(routes=[Route("/", lambda _: PlainTextResponse("all of it"))])
    monkeypatch.setattr(server, "create_app", lambda: made)
    guarded(4200)
    for _ in range(3):
        app = server.create_app()
        assert answered(app, "http://prefect-in-memory/") == 200
        assert answered(app, "http://127.0.0.1:4200/", Host="evil.example") == 400
    assert len(made.user_middleware) == 1
