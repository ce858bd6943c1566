"""Prefect's UI in a real browser: Debian's chromium, with a Prefect server, Kubeferry's deployments and a worker.

One browser and one worker serve all tests of this folder, which is one module: several processes that run tests share
them by module.
"""

import os
import shutil
import subprocess

import pytest
from tests.support.cli import COMMAND
from tests.support.limits import LIMIT

pytest.register_assert_rewrite("tests.ui.prefect_ui")


SOON = {"PREFECT_WORKER_QUERY_SECONDS": "2"}
"""How often the worker asks for runs, in seconds; of itself it does every 10."""


@pytest.fixture(scope="module")
def browser():
    """A browser without a window. It is closed before other modules run: while it is open, nothing else may loop."""
    found = shutil.which("chromium")
    if found is None:
        missing = "chromium is not installed: .ci/install does that"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=arguments)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def bench(bench_without_flows):
    """The clusters without Prefect: no flow runs in this process."""
    return bench_without_flows


@pytest.fixture(scope="module")
def api(bench, kubeferry_process, prefect_server, tmp_path_factory):
    """The URL of a Prefect API with Kubeferry's deployments, made by `kubeferry deploy`, and a live worker."""
    place = ["--context", "kubeferry-b", "--kubeconfig", bench.where["kubeconfig"], "--store", bench.where["store"]]
    code, _, err = kubeferry_process("deploy", *place)
    assert code == 0, err
    log = tmp_path_factory.mktemp("worker") / "log"
    with log.open("w") as file:
        worker = subprocess.Popen([COMMAND, "worker"], stdout=file, stderr=subprocess.STDOUT, env=os.environ | SOON)
    try:
        yield prefect_server
    finally:
        worker.terminate()
        worker.wait(LIMIT)


@pytest.fixture(scope="module")
def ui(browser, api):
    """The one page of the browser."""
    from playwright.sync_api import expect
    from tests.ui.prefect_ui import Ui

    page = browser.new_page(viewport={"width": 1120, "height": 780})
    # Nothing outside of this machine is asked.
    page.route(lambda url: not url.startswith(api.removesuffix("/api")), lambda route: route.abort())
    made = Ui(page, api)
    made.open("/runs")
    made.log_in(os.environ["PREFECT_API_AUTH_STRING"])
    expect(made.password).not_to_be_visible()
    return made
