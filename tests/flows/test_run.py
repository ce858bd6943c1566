"""How a command runs a flow."""

import asyncio
import sys

import pytest

from kubeferry.flows.console.run import in_loop


async def _loop():
    return type(asyncio.get_running_loop()).__module__


@pytest.mark.skipif(sys.platform == "win32", reason="there is no uvloop")
def test_a_command_runs_its_flow_in_the_faster_loop():
    assert in_loop(_loop()).startswith("uvloop")


def test_where_there_is_none_the_usual_one_does(monkeypatch):
    monkeypatch.setattr("kubeferry.flows.console.run.uvloop", None)
    assert in_loop(_loop()).startswith("asyncio")
