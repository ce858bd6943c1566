"""How a command runs a flow."""

import asyncio
import subprocess
import sys
from importlib import import_module

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

import kubeferry.flows.console.run
from kubeferry.flows.console.run import in_loop, prepare

STARTS = {
    "backup": ["shop"],
    "restore": ["first"],
    "undo": ["first-restore", "--yes"],
    "migrate": ["shop", "--to-context", "new"],
    "populate": ["first", "--into", "one"],
    "delete": ["first-restore", "--yes"],
    "prune": ["--yes"],
}
"""Command to the least that starts its flow."""


async def _loop():
    return type(asyncio.get_running_loop()).__module__


@pytest.mark.skipif(sys.platform == "win32", reason="there is no uvloop")
def test_a_command_runs_its_flow_in_the_faster_loop():
    assert in_loop(_loop()).startswith("uvloop")


def test_where_there_is_none_the_usual_one_does(monkeypatch):
    monkeypatch.setattr("kubeferry.flows.console.run.uvloop", None)
    assert in_loop(_loop()).startswith("asyncio")


@pytest.mark.parametrize("command", STARTS)
def test_a_command_starts_the_flow_of_its_name_with_the_options_that_it_takes(cli, monkeypatch, command):
    started = []

    def stop(flow, asked, *_, **__):
        started.append((flow, type(asked).__name__))
        raise KeyboardInterrupt

    monkeypatch.setattr(kubeferry.flows.console.run, "run_and_finish", stop)
    assert cli(command, *STARTS[command])[0] == 130
    flow = getattr(import_module(f"kubeferry.flows.{command}"), command)
    assert started == [(command, flow.model.__name__)]


UNTIL_ITS_SERVER = """
import sys
from kubeferry.flows.cli import main
from kubeferry.flows.console import run

def end():
    print("prefect" in sys.modules)
    raise KeyboardInterrupt

run._reach = lambda *_, **__: None
run.prepare = end
main(sys.argv[1:])
"""


@pytest.mark.parametrize("command", STARTS)
def test_a_command_imports_prefect_when_its_server_is_known(home, command):  # noqa: ARG001 - it sets the environment
    """Prefect reads at its import which server it is; without one it starts an ephemeral one."""
    argv = [sys.executable, "-c", UNTIL_ITS_SERVER, command, *STARTS[command]]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)
    assert (ended.stdout.strip(), ended.returncode) == ("False", 130), ended.stderr


def test_a_prefect_that_was_imported_too_early_runs_no_flow(monkeypatch):
    other = "http://127.0.0.1:9/api"
    monkeypatch.setattr("kubeferry.tasks.ports.prefect.server.ensure", lambda: other)
    monkeypatch.setattr("kubeferry.tasks.ports.prefect.server.environment", lambda *_, **__: {})
    with pytest.raises(AssertionError, match="imported before"):
        prepare()
    with temporary_settings({PREFECT_API_URL: other}):
        prepare()
