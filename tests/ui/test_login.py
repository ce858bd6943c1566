"""A person logs in to the UI of the local server: the password is pasted once, and then all of it is there."""

import os

import pytest
from playwright.sync_api import expect
from tests.support.prefect_api import Api
from tests.ui.prefect_ui import Ui


@pytest.fixture
def fresh(browser, prefect_server):
    """A page of a browser that has never seen this server."""
    context = browser.new_context()
    page = context.new_page()
    page.route(lambda url: not url.startswith(prefect_server.removesuffix("/api")), lambda route: route.abort())
    yield Ui(page, prefect_server)
    context.close()


def test_the_ui_asks_for_the_password_once_and_then_shows_what_there_is(fresh, kubeferry_process):
    """What is shown comes from the API, and what happens from its websockets."""
    api = Api(fresh.api)
    api.ask("/work_pools/", {"name": "shown-after-login", "type": "process"})
    home = os.path.join(os.environ["KUBEFERRY_TEST_HOME"], "all")  # noqa: PTH118 - a variable of an environment
    code, out, err = kubeferry_process("server", "password", KUBEFERRY_HOME=home)
    assert code == 0, err
    try:
        fresh.page.goto(fresh.api.removesuffix("/api"))
        expect(fresh.password).to_be_visible()
        expect(fresh.page.get_by_text("shown-after-login")).not_to_be_visible()
        fresh.log_in("kubeferry:wrong")
        expect(fresh.page.get_by_text("Invalid credentials")).to_be_visible()
        fresh.log_in(out.strip())
        expect(fresh.password).not_to_be_visible()
        fresh.open("/work-pools")
        expect(fresh.page.get_by_text("shown-after-login")).to_be_visible()
        fresh.page.reload()
        expect(fresh.page.get_by_text("shown-after-login")).to_be_visible()
    finally:
        api.ask("/work_pools/shown-after-login", method="DELETE")
