"""The Prefect server restarted in the middle of a restore: the run goes on, and stands in the history."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tasks.ports import prefect_api
from tests.cluster.conftest import COMMAND
from tests.cluster.restores import B, name
from tests.faults.actions import doing
from tests.faults.proxy import Rule


class Person:
    """Somebody with a KUBEFERRY_HOME of their own, and so a Prefect server."""

    def __init__(self, rig, home):
        self.rig, self.env = rig, os.environ | {"KUBEFERRY_HOME": str(home)}
        for each in ("PREFECT_API_URL", "KUBEFERRY_CONTEXT", "KUBEFERRY_OUTPUT", "KUBEFERRY_DEBUG"):
            self.env.pop(each, None)

    def kubeferry(self, *args):
        """Run a command; return its exit code, stdout and stderr."""
        done = subprocess.run([COMMAND, *args], env=self.env, capture_output=True, text=True, check=False, timeout=500)
        return done.returncode, done.stdout, done.stderr

    def at(self):
        """Return the options that tell where to."""
        where = self.rig.where
        return "--context", B, "--kubeconfig", where["kubeconfig"], "--store", where["store"]

    def restore(self, shop, copy, asked):
        return self.kubeferry(
            "restore", shop.saved.name, "--map", f"{shop.ns}={copy}", "--name", asked, *self.at(), "-o", "json"
        )

    def restart(self):
        assert self.kubeferry("server", "stop")[0] == 0
        assert self.kubeferry("server", "start")[0] == 0

    def history(self):
        """Return name → state of every flow run that the server knows."""
        url = json.loads(self.kubeferry("server", "status", "-o", "json")[1])["url"]
        return {each["name"]: each["state_type"] for each in prefect_api.ask(url, "/flow_runs/filter", {})}


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
    restarted = doing(person.restart, name="Prefect server restarted")
    rig.b.rules = [rule := Rule("POST", f"/{copy}/configmaps", restarted)]
    code, out, err = person.restore(kiosk, copy, asked)
    assert rule.done == 1
    assert (code, json.loads(out)["phase"]) == (0, "Completed"), err
    assert rig.bench.get("ConfigMap", copy, "d", B)
    assert person.history()[f"restore {kiosk.saved.name} ({kiosk.ns} → {copy})"] == "COMPLETED"
