"""How a command runs a flow."""

import asyncio
import sys
from importlib import import_module

import pytest

import kubeferry.flows.console.run
from kubeferry.flows.console.run import in_loop

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
