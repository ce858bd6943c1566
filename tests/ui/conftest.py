"""Prefect's UI in a real browser: Debian's chromium, with a Prefect server, Kubeferry's deployments and a worker.

One browser and one worker serve all tests of this folder, which is one module: several processes that run tests share
them by module.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cluster.conftest import COMMAND, kubeferry  # noqa: F401 - a fixture

pytest.register_assert_rewrite("tests.ui.prefect_ui")

HERE = Path(__file__).parent
LEAVES = 60
"""Seconds that the worker has to end."""

SOON = {"PREFECT_WORKER_QUERY_SECONDS": "2"}
"""How often the worker asks for runs, in seconds; of itself it does every 10."""


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.cluster)


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
def bench(sandbox_env, tmp_path_factory):
    """Both clusters, and a store of the module's own; nothing runs in this process."""
    from tests.cluster.restores import Bench

    made = Bench(None, sandbox_env.kubeconfig, tmp_path_factory.mktemp("store"))
    yield made
    made.clear()


@pytest.fixture(scope="module")
def api(bench, kubeferry, tmp_path_factory):  # noqa: F811 - the fixture
    """The URL of a Prefect API with Kubeferry's deployments, made by `kubeferry deploy`, and a live worker."""
    place = ["--context", "kubeferry-b", "--kubeconfig", bench.where["kubeconfig"], "--store", bench.where["store"]]
    code, _, told = kubeferry("deploy", *place)
    assert code == 0, told
    log = tmp_path_factory.mktemp("worker") / "log"
    with log.open("w") as file:
        worker = subprocess.Popen([COMMAND, "worker"], stdout=file, stderr=subprocess.STDOUT, env=os.environ | SOON)
    try:
        yield served()
    finally:
        worker.terminate()
        worker.wait(LEAVES)


def served():
    """Return the URL of the local server of this KUBEFERRY_HOME."""
    from tasks.ports import prefect_server

    return prefect_server.status().url


@pytest.fixture(scope="module")
def ui(browser, api):
    """The one page of the browser."""
    from tests.ui.prefect_ui import Ui

    page = browser.new_page(viewport={"width": 1120, "height": 780})
    # Nothing outside of this machine is asked.
    page.route(lambda url: not url.startswith(api.removesuffix("/api")), lambda route: route.abort())
    return Ui(page, api)
