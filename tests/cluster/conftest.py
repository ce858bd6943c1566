"""Every test in this folder runs on the sandbox."""

import asyncio
import gc
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from urllib.parse import urlsplit

import pytest

HERE = Path(__file__).parent
COMMAND = Path(sys.executable).with_name("kubeferry")


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def kubectl():
    """Run kubectl on a sandbox: `kubectl(sandbox, "get", "pods", context="kubeferry-b")` returns what it printed."""

    def run(sandbox, *args, context="kubeferry-a", text=None):
        argv = ["kubectl", "--context", context, *args]
        env = {**os.environ, **sandbox.env()}
        done = subprocess.run(argv, env=env, input=text, capture_output=True, text=True, check=False, timeout=90)
        if done.returncode:
            raise KubectlError(done.stderr)
        return done.stdout

    return run


class KubectlError(Exception):
    """What kubectl said when it failed."""


@pytest.fixture(scope="session")
def kubeferry(sandbox_env):  # noqa: ARG001 - it sets the environment
    """Run `kubeferry` as a person would, on the sandbox; returns its exit code, stdout and stderr.

    The local Prefect server that the commands start is this session's own, and goes with it.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in (
            "PREFECT_API_URL",
            "KUBEFERRY_CONTEXT",
            "KUBEFERRY_KUBECONFIG",
            "KUBEFERRY_OUTPUT",
            "KUBEFERRY_DEBUG",
        ):
            patch.delenv(name, raising=False)
        yield _kubeferry
        _kubeferry("server", "stop")


def _kubeferry(*args, **env):
    done = subprocess.run(
        [COMMAND, *args], env=os.environ | env, capture_output=True, text=True, check=False, timeout=180
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="session")
def run_flow(prefect_server):
    """Return what a flow answers: `run_flow(backup(options))`; what it raises is raised."""
    port = urlsplit(prefect_server).port
    # Prefect 3.8.8 leaves one of its own connections open after each flow. Only those to its own server are excused.
    leak = re.escape("unclosed <socket") + rf".*raddr=\('127\.0\.0\.1', {port}\)"

    def run(awaitable):
        async def wait():
            return await awaitable

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", leak, ResourceWarning)
            try:
                return runner.run(wait())
            finally:
                gc.collect()

    with asyncio.Runner() as runner:
        yield run


@pytest.fixture(scope="module")
def bench(sandbox_env, run_flow, tmp_path_factory):
    """What the tests of a restore work at: both clusters, and a store of the module's own."""
    from tests.cluster.restores import Bench

    made = Bench(run_flow, sandbox_env.kubeconfig, tmp_path_factory.mktemp("store"))
    yield made
    made.clear()
