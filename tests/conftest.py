"""What all tests share: tiers, one seed, one sandbox for all processes of a run, and the command line.

`KUBEFERRY_TEST_SANDBOX=HOME` names the KUBEFERRY_HOME of a sandbox that runs already, for quick turns during
development: it is used as it is and left running. `KUBEFERRY_TEST_PREFECT=URL` does so for a Prefect API, with its
password in PREFECT_API_AUTH_STRING.
"""

import asyncio
import gc
import os
import random
import shutil
import signal
import sys
import tempfile
import warnings
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from tests.support import tiers

from kubeferry.deployments.sandbox.sandbox import Sandbox
from kubeferry.tasks.ports.local import processes

# Where it is set, each process of ours compiles all of our modules again, and pytest all tests: a second each.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Several processes and their control planes share the machine: how long an example takes says nothing about the code.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

LEAVES = 60
"""Seconds that Prefect's server has to take what a process still has to tell it."""
HOME = "KUBEFERRY_TEST_HOME"
"""The variable by which the processes of one run know where their sandboxes are."""


# --- the run


def pytest_addoption(parser):
    group = parser.getgroup("kubeferry")
    group.addoption("--slice", type=float, metavar="MINUTES", help="run a slice of the tier soak, of so many minutes")
    group.addoption("--slice-from", type=int, metavar="N", help="where it begins; else the commit decides")


def pytest_configure(config):
    """One seed for all that is random in a run and in all its processes: `KUBEFERRY_SEED` repeats it."""
    os.environ.setdefault("KUBEFERRY_SEED", str(random.SystemRandom().randrange(10**6)))
    # Scripts have SIGINT ignored in what they start with `&`, and so would be all that tests start, and interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("slice"):
        begin = config.getoption("slice_from")
        config.option.slice_from = tiers.of_this_commit() if begin is None else begin
        config.option.markexpr = "soak"
    elif not config.option.markexpr and not any("soak" in each for each in config.args):
        config.option.markexpr = tiers.FAST
    config.slice = tiers.Slice(config.getoption("slice") or 0, config.getoption("slice_from") or 0)
    if not hasattr(config, "workerinput"):
        # Its path is short, since some programs limit the paths of their files.
        os.environ[HOME] = tempfile.mkdtemp(prefix="kf-")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """End the servers of this run, after the last of its processes."""
    with warnings.catch_warnings():
        # Whoever started the Prefect server leaves it to the others.
        warnings.simplefilter("ignore", ResourceWarning)
        processes._children.clear()
    if hasattr(config, "workerinput") or HOME not in os.environ:
        return
    home = Path(os.environ.pop(HOME))
    try:
        if (home / "all" / "state" / "prefect").exists():
            from kubeferry.tasks.ports.prefect import server as prefect_server

            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("KUBEFERRY_HOME", str(home / "all"))
                prefect_server.stop()
        for each in home.glob("*/state/sandbox"):
            Sandbox(each).down(purge=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    config.option.loadscopereorder = False
    return tiers.ByFile(config, log)


def pytest_report_header(config):
    lines = [f"KUBEFERRY_SEED={os.environ['KUBEFERRY_SEED']}"]
    if config.getoption("slice"):
        lines.append(f"soak: {config.getoption('slice'):g} minutes from {config.option.slice_from}")
    return lines


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    for item in items:
        tier = tiers.tier_of(item)
        if not item.get_closest_marker(tier):
            item.add_marker(tier)
    items.sort(key=tiers.turn_of)
    if config.getoption("slice"):
        items[:] = config.slice.rotated([item for item in items if item.get_closest_marker("soak")])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if item.config.getoption("slice"):
        item.config.slice.check(item)


# --- the sandbox


def shared():
    """Return the KUBEFERRY_HOME of what all processes of this run share."""
    path = Path(os.environ[HOME]) / "all"
    path.mkdir(exist_ok=True)
    return path


@pytest.fixture(scope="session")
def home():
    """A KUBEFERRY_HOME of this process."""
    path = Path(tempfile.mkdtemp(prefix="h-", dir=os.environ[HOME]))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def alone():
    """Hold this while a sandbox comes up: each uses both cores until it is there."""
    return FileLock(Path(os.environ[HOME]) / "up.lock")


@pytest.fixture(scope="session")
def sandboxes(alone):
    """Bring up one of the sandboxes of this run, where no other process has done so; they stay up until its end."""

    def up(name):
        found = Sandbox(Path(os.environ[HOME]) / name / "state" / "sandbox")
        found.home.parent.mkdir(parents=True, exist_ok=True)
        with alone:
            found.up()
        return found

    return up


@pytest.fixture(scope="module")
def sandbox(request, sandboxes):
    """Two clusters and an S3 server. Files marked `exclusive` change a cluster for all, and have a sandbox for them."""
    running = os.environ.get("KUBEFERRY_TEST_SANDBOX")
    if running:
        return Sandbox(Path(running) / "state" / "sandbox")
    return sandboxes("own" if request.node.get_closest_marker("exclusive") else "all")


@pytest.fixture(scope="module")
def sandbox_env(sandbox, home):
    """The environment points at the sandbox, as after `eval "$(kubeferry sandbox env)"`."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in sandbox.env().items():
            patch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
            patch.delenv(name, raising=False)
        patch.setenv("KUBEFERRY_HOME", str(home))
        yield sandbox


@pytest.fixture(scope="session")
def kubectl():
    """Run kubectl on a sandbox: `kubectl(sandbox, "get", "pods", context="kubeferry-b")` returns what it printed."""
    from tests.support.kubectl import run

    return run


# --- Prefect, flows and commands


@pytest.fixture(scope="session")
def prefect_server(home):
    """The URL of this run's Prefect server, at which all its processes leave their flow runs.

    Prefect is imported already when a fixture runs, so its settings are given to it, not to the environment.
    """
    from prefect.settings import (
        PREFECT_API_AUTH_STRING,
        PREFECT_API_TLS_INSECURE_SKIP_VERIFY,
        PREFECT_API_URL,
        PREFECT_HOME,
        PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW,
        PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
        temporary_settings,
    )

    from kubeferry.tasks.ports.prefect import server

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBEFERRY_HOME", str(shared()))
        url = os.environ.get("KUBEFERRY_TEST_PREFECT")
        password = os.environ["PREFECT_API_AUTH_STRING"] if url else ""
        url = url or server.start()
        password = password or server.password()
    wanted = {
        PREFECT_API_AUTH_STRING: password,
        PREFECT_API_URL: url,
        PREFECT_HOME: home / "prefect-client",
        PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False,
        # Steps that are done as one task run have no flow run.
        PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW: "ignore",
        # It speaks plain HTTP on loopback. Without this, each client reads all certificates of the machine: 20 ms.
        PREFECT_API_TLS_INSECURE_SKIP_VERIFY: True,
    }
    # What is imported by now stays: a collection after each flow need not look at it.
    gc.collect()
    gc.freeze()
    with temporary_settings(updates=wanted), pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_AUTH_STRING", password)
        yield url
        leave()


def leave():
    """Send what this process has to tell the server while it runs.

    Prefect 3.8.8 does so when the process ends, when the server of this run has been stopped: for each event it then
    tries 7 s to reach it again, and pytest does not end after its summary.
    """
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    from kubeferry.tasks.ports.prefect import events

    for each in (EventsWorker, APILogWorker):
        each.drain_all(timeout=LEAVES)
    events.give_up()


@pytest.fixture(scope="module")
def served(prefect_server):
    """Processes that tests start find this run's Prefect server, and start none of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_URL", prefect_server)
        yield prefect_server


@pytest.fixture(scope="session")
def run_flow(prefect_server):
    """Return what a flow answers: `run_flow(backup(options))`; what it raises is raised."""
    from tests.support.cli import one_leak_allowed

    port = urlsplit(prefect_server).port

    def run(awaitable):
        async def wait():
            return await awaitable

        with one_leak_allowed(port):
            return runner.run(wait())

    with asyncio.Runner() as runner:
        yield run


@pytest.fixture(scope="module")
def unset(sandbox_env, served):  # noqa: ARG001 - they set the environment
    """The environment is that of somebody who has set nothing for Kubeferry but the sandbox's store."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CONTEXT", "KUBECONFIG", "OUTPUT", "DEBUG"):
            patch.delenv(f"KUBEFERRY_{name}", raising=False)
        yield


@pytest.fixture(scope="module")
def kubeferry(unset, prefect_server):  # noqa: ARG001 - it sets the environment
    """Run a command on the sandbox: `kubeferry("list", "-o", "json")` returns its exit code, stdout and stderr.

    It runs in this process.
    """
    from tests.support.cli import in_process

    return in_process(urlsplit(prefect_server).port)


@pytest.fixture(scope="module")
def kubeferry_process(kubeferry):  # noqa: ARG001 - it sets the environment
    """Run a command in a process of its own, where the process is what is tested."""
    from tests.support.cli import in_another

    return in_another


@pytest.fixture(scope="module")
def bench(request, sandbox_env, served, run_flow, tmp_path_factory):  # noqa: ARG001 - it sets the environment
    """What the tests of a restore work at: both clusters, and a store of the module's own."""
    from tests.support.bench import Bench

    alone = request.node.get_closest_marker("exclusive") is not None
    # Of `soak`, which takes hours, too much would be left.
    goes = "KUBEFERRY_TEST_SANDBOX" not in os.environ and request.config.option.markexpr == tiers.FAST
    tidy = alone or not goes
    made = Bench(run_flow, sandbox_env.kubeconfig, tmp_path_factory.mktemp("store"), alone=alone, tidy=tidy)
    yield made
    made.clear()


@pytest.fixture(scope="module")
def steps(sandbox_env, tmp_path_factory):
    """The steps of a backup and a restore, one by one and without Prefect."""
    from tests.support.steps import Steps

    made = Steps(sandbox_env, tmp_path_factory.mktemp("steps"))
    yield made
    made.bench.clear()


@pytest.fixture(scope="module")
def bench_without_flows(sandbox_env, tmp_path_factory):
    """The same without Prefect: no flow runs in this process."""
    from tests.support.bench import Bench

    made = Bench(None, sandbox_env.kubeconfig, tmp_path_factory.mktemp("store"))
    yield made
    made.clear()
