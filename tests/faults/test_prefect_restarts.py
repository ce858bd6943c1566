"""The Prefect server restarted in the middle of a restore, or gone for good: nothing is lost, and the command ends."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from subprocess import PIPE
from unittest import mock

import pytest
from tests.faults.actions import doing
from tests.faults.proxy import Rule
from tests.faults.rig import seen
from tests.support.bench import B, name
from tests.support.cli import COMMAND
from tests.support.limits import LIMIT

from kubeferry.tasks.ports.prefect import api
from kubeferry.tasks.ports.records.restores import open_restore
from kubeferry.tasks.ports.store.open import open_store


class Person:
    """Somebody with a KUBEFERRY_HOME of their own, and so a Prefect server."""

    def __init__(self, rig, home):
        self.rig, self.env = rig, os.environ | {"KUBEFERRY_HOME": str(home)}
        self.env.pop("PREFECT_API_URL", None)
        for each in ("PREFECT_API_URL", "KUBEFERRY_CONTEXT", "KUBEFERRY_OUTPUT", "KUBEFERRY_DEBUG"):
            self.env.pop(each, None)

    def kubeferry(self, *args):
        """Run a command; return its exit code, stdout and stderr."""
        with subprocess.Popen([COMMAND, *args], env=self.env, stdout=PIPE, stderr=PIPE, text=True) as done:
            self.running = done
            out, err = done.communicate(timeout=LIMIT)
        return done.returncode, out, err

    def at(self):
        """Return the options that say where to."""
        where = self.rig.where
        return "--context", B, "--kubeconfig", where["kubeconfig"], "--store", where["store"]

    def restore(self, shop, copy, asked):
        return self.kubeferry(
            "restore", shop.saved.name, "--map", f"{shop.ns}={copy}", "--name", asked, *self.at(), "-o", "json"
        )

    def restart(self):
        assert self.kubeferry("server", "stop")[0] == 0
        assert self.kubeferry("server", "start")[0] == 0

    def server(self):
        """Return what is known of the server."""
        return json.loads(self.kubeferry("server", "status", "-o", "json")[1])

    def history(self):
        """Return name → state of every flow run that the server knows."""
        url = self.server()["url"]
        with mock.patch.dict(os.environ, self.env):
            return {each["name"]: each["state_type"] for each in api.ask(url, "/flow_runs/filter", {})}


@pytest.fixture
def person(rig):
    home = Path(tempfile.mkdtemp(prefix="kf-"))
    made = Person(rig, home)
    assert made.kubeferry("server", "start")[0] == 0
    yield made
    made.kubeferry("server", "stop")
    shutil.rmtree(home)


def test_a_restore_goes_on_when_the_prefect_server_is_restarted(rig, kiosk, person):
    copy, asked = rig.bench.name(), name()
    person.env["PREFECT_CLIENT_MAX_RETRIES"] = "7"  # for four minutes, not one: the machine may be busy
    restarted = doing(person.restart, name="Prefect server restarted")
    rig.b.rules = [rule := Rule("POST", f"/{copy}/configmaps", restarted)]
    code, out, err = person.restore(kiosk, copy, asked)
    assert rule.done == 1
    assert (code, json.loads(out)["phase"]) == (0, "Completed"), err
    assert rig.bench.get("ConfigMap", copy, "d", B)
    assert person.history()[f"restore {kiosk.saved.name} ({kiosk.ns} → {copy})"] == "COMPLETED"


# --- gone for good

BOUND = 200
"""Seconds in which a command has to end, on a busy machine: waiting for each event took it 5 minutes."""


@pytest.fixture
def lone(person):
    """Somebody whose commands give up a Prefect server after two tries, not six; all else is the same."""
    person.env["PREFECT_CLIENT_MAX_RETRIES"] = "1"
    return person


@pytest.mark.soak(minutes=2)
def test_a_restore_whose_prefect_server_is_gone_comes_to_its_end_and_can_be_undone(rig, kiosk, lone):
    """It needs no server for what it does; the command fails, as its run is not recorded, and names the ways on."""
    copy, asked, pid = rig.bench.namespace(context=B), name(), lone.server()["pid"]
    before, began = seen(rig.bench, copy), time.monotonic()
    gone = doing(lambda: os.kill(pid, signal.SIGKILL), name="Prefect server killed")
    rig.b.rules = [rule := Rule("POST", f"/{copy}/configmaps", gone)]
    code, _, err = lone.restore(kiosk, copy, asked)
    assert (rule.done, code) == (1, 1), err
    assert time.monotonic() - began < BOUND
    assert lone.server()["state"] == "stopped"
    (line,) = [each for each in err.splitlines() if each.startswith("error: ")]
    assert "the Prefect API at http://127.0.0.1:" in line
    assert "answers no more: " in line
    assert "kubeferry restore --resume NAME" in line
    assert "kubeferry undo NAME" in line
    assert f"restore {asked}: Completed" in err
    assert state(rig, asked).end == "Completed"
    assert rig.bench.get("ConfigMap", copy, "d", B)
    code, _, err = lone.kubeferry("undo", asked, "--yes", "--privileged", *lone.at())
    assert code == 0, err
    assert seen(rig.bench, copy) == before


@pytest.mark.soak(minutes=2)
def test_a_restore_that_is_interrupted_after_its_prefect_server_went_is_resumed(rig, kiosk, lone):
    """As by a person who sees that the server is away; the command has no run to take leave of."""
    copy, asked, pid = rig.bench.namespace(context=B), name(), lone.server()["pid"]

    def leave():
        os.kill(pid, signal.SIGKILL)
        lone.running.send_signal(signal.SIGINT)

    rig.b.rules = [rule := Rule("POST", f"/{copy}/configmaps", doing(leave, name="server and person gone"))]
    began = time.monotonic()
    code, _, err = lone.restore(kiosk, copy, asked)
    assert rule.done == 1
    assert code in (1, 130), err
    assert time.monotonic() - began < BOUND
    assert f"kubeferry restore --resume {asked}, or kubeferry undo {asked}" in err
    assert state(rig, asked).end == "Stopped"
    code, out, err = lone.kubeferry("restore", "--resume", asked, *lone.at(), "-o", "json")
    assert (code, json.loads(out)["phase"]) == (0, "Completed"), err
    again = rig.restore(kiosk.saved, map={kiosk.ns: copy}, bundle="none")
    assert {each.action for each in again.notable if each.name != "default"} == {"unchanged"}


def state(rig, asked):
    """Return what the journal of a restore says."""
    return open_restore(open_store(rig.where["store"]), asked).state
