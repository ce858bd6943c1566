"""The shipped work pools: Prefect takes their templates, and what a run does is not for its starter to say."""

import asyncio
import os
from unittest import mock

import pytest
import yaml
from prefect.workers.process import ProcessJobConfiguration
from tests.support.jobs import DECLARED, DEPLOYMENTS, PASSWORD, rendered_job

WRITES = {"restore", "migrate", "migrate-namespace", "populate"}
SET_BY_US = {"command", "env", "working_dir", "image", "service_account_name"}
EVIL = {
    "command": "sh -c evil",
    "args": ["sh"],
    "env": {"LD_PRELOAD": "/evil.so", "PREFECT_API_URL": "http://evil.example/api"},
    "env.PYTHONPATH": "/evil",
    "working_dir": "/evil",
    "image": "evil.example/image",
    "service_account_name": "kubeferry-restore",
    "job_manifest": {"evil": "1"},
}
"""Job variables that whoever starts a run might give."""


@pytest.mark.parametrize("named", DECLARED)
def test_a_run_of_each_deployment_is_a_job_with_the_account_that_it_needs(named):
    job = rendered_job(named)
    pod = job["spec"]["template"]["spec"]
    writes = named.partition("/")[0] in WRITES
    assert pod["serviceAccountName"] == ("kubeferry-restore" if writes else "kubeferry-backup")
    (container,) = pod["containers"]
    assert container["args"] == ["prefect", "flow-run", "execute"]
    assert container["image"].partition(":")[0].endswith("/kubeferry")
    assert job["metadata"]["labels"]["prefect.io/flow-name"] == named.partition("/")[0]
    assert job["metadata"]["namespace"] == "kubeferry"


@pytest.mark.parametrize("kind", ["process", "kubernetes"])
def test_the_pools_have_no_variable_for_what_a_run_does(kind):
    template = yaml.safe_load((DEPLOYMENTS / "pools" / f"{kind}.yaml").read_text())
    assert not SET_BY_US & set(template["variables"]["properties"])
    assert not SET_BY_US & set(template["job_configuration"])
    assert not [name for name in SET_BY_US if f"{{{{ {name} }}}}" in str(template)]


def test_a_starter_changes_nothing_of_a_job():
    """Not by a variable that the template lacks either: Prefect merges `env` where the template has one."""

    def comparable(job):
        (container,) = job["spec"]["template"]["spec"]["containers"]
        names = sorted(each["name"] for each in container.pop("env"))
        del job["spec"]["template"]["metadata"]  # ids of the run
        return names, container, job["spec"]

    assert comparable(rendered_job("backup/nightly", **EVIL)) == comparable(rendered_job("backup/nightly"))
    assert "evil" not in str(rendered_job("backup/nightly", **EVIL))


def test_a_starter_changes_nothing_of_a_process():
    template = yaml.safe_load((DEPLOYMENTS / "pools" / "process.yaml").read_text())

    async def render(**values):
        return await ProcessJobConfiguration.from_template_and_values(template, values, client=object())

    with mock.patch.dict(os.environ, clear=True):
        found = asyncio.run(render(**EVIL))
    assert (found.command, found.env, found.working_dir) == (None, {}, None)
    assert found == asyncio.run(render())


def test_a_job_gets_the_password_from_a_secret_and_does_not_hold_it():
    job = rendered_job("backup/nightly")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    (found,) = [each for each in container["env"] if each["name"] == "PREFECT_API_AUTH_STRING"]
    assert found["valueFrom"] == {"secretKeyRef": {"name": "kubeferry-prefect", "key": "password"}}
    assert PASSWORD not in str(job)
