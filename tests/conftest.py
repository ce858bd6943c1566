"""What all tests share: the sandbox, brought up once for a session and always taken down again.

`KUBEFERRY_TEST_SANDBOX=HOME` names the KUBEFERRY_HOME of one that runs already, for quick turns during development: it
is used as it is and left running.
"""

import os
import random
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from deployments.sandbox.sandbox import Sandbox

# Three processes and their control planes share the machine: how long an example takes says nothing about the code.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


def pytest_configure():
    """One seed for all that is random in a session and in all its processes: `KUBEFERRY_SEED` repeats a run."""
    os.environ.setdefault("KUBEFERRY_SEED", str(random.SystemRandom().randrange(10**6)))
    # Scripts have SIGINT ignored in what they start with `&`, and so would be all that tests start, and interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


LONG = (
    "docs/test_readme_runs.py",
    "faults/test_kills.py",
    "velero/test_velero.py",
    "ui/test_ui.py",
    "cluster/test_random_namespaces.py",
    "cluster/test_schedule.py",
    "cluster/test_secrets_stay.py",
    "cluster/test_kubectl_script.py",
    "cluster/test_hostile_restores.py",
    "cluster/test_postgres.py",
)
"""Files that take minutes each, the longest first: no process that shares the tests should begin one at the end."""

QUICK = ("core", "ports", "flows")
"""Folders whose files take seconds: they even out the end."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: _turn(item.path.relative_to(Path(__file__).parent)))


def _turn(path):
    if path.as_posix() in LONG:
        return LONG.index(path.as_posix())
    return len(LONG) + (path.parts[0] in QUICK)


def pytest_report_header():
    return f"KUBEFERRY_SEED={os.environ['KUBEFERRY_SEED']}"


@pytest.fixture(scope="session")
def home():
    """A KUBEFERRY_HOME of this session; its path is short, since some programs limit the paths of their files."""
    path = Path(tempfile.mkdtemp(prefix="kf-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def sandbox(home):
    """Two clusters and an S3 server, for all tests that leave them healthy."""
    running = os.environ.get("KUBEFERRY_TEST_SANDBOX")
    if running:
        yield Sandbox(Path(running) / "state" / "sandbox")
        return
    own = Sandbox(home / "state" / "sandbox")
    try:
        own.up()
        yield own
    finally:
        own.down(purge=True)


@pytest.fixture(scope="session")
def sandbox_env(sandbox, home):
    """The session's environment points at the sandbox, as after `eval "$(kubeferry sandbox env)"`."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in sandbox.env().items():
            patch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
            patch.delenv(name, raising=False)
        patch.setenv("KUBEFERRY_HOME", str(home))
        yield sandbox


@pytest.fixture(scope="session")
def prefect_server(home):
    """The URL of a Prefect server of this session, at which the flows that tests run in this process leave their runs.

    Prefect is imported already when a fixture runs, so its settings are given to it, not to the environment.
    """
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_HOME,
        PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
        temporary_settings,
    )

    from tasks.ports import prefect_server as server

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBEFERRY_HOME", str(home))
        url = server.start()
        try:
            wanted = {
                PREFECT_API_URL: url,
                PREFECT_HOME: home / "prefect-client",
                PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False,
            }
            with temporary_settings(updates=wanted):
                yield url
        finally:
            patch.setenv("KUBEFERRY_HOME", str(home))
            server.stop()
