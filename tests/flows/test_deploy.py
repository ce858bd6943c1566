"""`kubeferry deploy` against a real Prefect server: what is registered, and that a second time changes nothing."""

import json
import os
import uuid
from unittest import mock
from urllib.parse import urlsplit

import pytest
from tests.support.cli import in_process
from tests.support.prefect_api import Api

pytestmark = pytest.mark.exclusive  # its deployments and workers have the names that others would use


@pytest.fixture(scope="module")
def api(prefect_server):
    return Api(prefect_server)


@pytest.fixture(scope="module")
def deploy(prefect_server, home):
    """Run `kubeferry deploy`: its exit code, rows or output, and stderr."""

    command = in_process(urlsplit(prefect_server).port)

    def run(*args):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("KUBEFERRY_", "PREFECT_"))}
        env |= {"PREFECT_API_URL": prefect_server, "KUBEFERRY_HOME": str(home)}
        with mock.patch.dict(os.environ, env, clear=True):
            code, out, err = command("deploy", *args, "-o", "json")
        return code, json.loads(out or "null"), err

    return run


def ours(deployment):
    """Return the schedules that we register; those that others add, as tests of the same server do, stay."""
    return [each for each in deployment["schedules"] if each["slug"] == "nightly"]


def changes(rows):
    return {row["change"] for row in rows}


def test_all_is_registered_once_and_the_second_time_nothing_changes(deploy, api):
    pool = f"p-{uuid.uuid4().hex[:6]}"
    asked = ("shop", "--pool", pool, "--store", "file:///srv/backups", "--context", "prod")
    code, rows, err = deploy(*asked, "--cron", "30 1 * * *", "--timezone", "Europe/Berlin")
    assert code == 0, err
    nightly = api.deployment("backup/nightly")
    options = {"namespaces": ["shop"], "store": "file:///srv/backups", "context": "prod"}
    assert nightly["parameters"] == options
    (schedule,) = ours(nightly)
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("30 1 * * *", "Europe/Berlin")
    assert nightly["work_pool_name"] == pool
    assert nightly["global_concurrency_limit"]["limit"] == 1
    assert nightly["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    place = {"store": "file:///srv/backups", "context": "prod"}
    assert api.deployment("restore/on-demand")["parameters"] == place
    api.ask(f"/deployments/{nightly['id']}/schedules/{schedule['id']}", {"active": False}, "PATCH")
    code, rows, _ = deploy(*asked, "--cron", "30 1 * * *", "--timezone", "Europe/Berlin")
    assert (code, changes(rows)) == (0, {"unchanged"})
    assert [each["id"] for each in ours(api.deployment("backup/nightly"))] == [schedule["id"]]

    code, rows, _ = deploy(*asked, "--cron", "45 1 * * *", "--timezone", "Europe/Berlin")
    assert [row["name"] for row in rows if row["change"] == "updated"] == ["backup/nightly"]
    (moved,) = ours(api.deployment("backup/nightly"))
    assert (moved["schedule"]["cron"], moved["active"]) == ("45 1 * * *", False)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--cron", "0 3 * * x"], "error: --cron '0 3 * * x': Invalid cron string"),
        (["--cron", "restore=0 3 * * *"], "error: --cron: restore has no schedule; these have: backup"),
        (["--timezone", "Europe/Atlantis"], "error: --timezone 'Europe/Atlantis': no such time zone"),
    ],
)
def test_what_makes_no_sense_is_refused(deploy, args, message):
    code, rows, err = deploy(*args)
    assert (code, rows) == (2, None)
    assert err.splitlines()[-1].startswith(message)


def test_pruning_notifications_and_an_image_are_registered_when_they_are_asked_for(deploy, api):
    pool, image = f"p-{uuid.uuid4().hex[:6]}", "registry.example.com/kubeferry:1"
    rules = ("--keep", "daily=7", "--keep", "within=30d")
    asked = ("shop", "--type", "kubernetes", "--pool", pool, "--store", "s3://backups/prod", *rules)
    code, rows, err = deploy(*asked, "--image", image)
    assert code == 0, err
    assert not [row for row in rows if row["what"] == "automation" and "failed" in row["name"]], "nobody to be notified"
    prune = api.deployment("prune/nightly")
    assert (prune["parameters"]["keep_daily"], prune["parameters"]["keep_within"]) == (7, "30d")
    assert [each["active"] for each in ours(prune)] == [True]
    for flow, name in (("backup", pool), ("restore", f"{pool}-restore")):
        assert api.deployment(f"{flow}/on-demand")["work_pool_name"] == name
        found = api.ask(f"/work_pools/{name}")
        pod = found["base_job_template"]["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
        assert (found["type"], pod["containers"][0]["image"]) == ("kubernetes", image)
        assert pod["serviceAccountName"] == f"kubeferry-{flow}"

    block = api.make_webhook(pool, "http://127.0.0.1:9/")
    code, rows, err = deploy(*asked, "--notify", f"custom-webhook/{pool}")
    assert code == 0, err
    registered = [row["name"] for row in rows if row["what"] == "automation" and row["change"] != "unchanged"]
    assert registered == ["Kubeferry: a run failed, or is not whole", "Kubeferry: a run is late"]
    sent = {each["name"]: each["actions"] for each in api.ask("/automations/filter", {})}
    assert all([action["block_document_id"] for action in sent[name]] == [block] for name in registered)

    code, _, err = deploy(*asked, "--notify", "custom-webhook/nobody")
    assert (code, err.splitlines()[-1].partition(":")[0]) == (2, "error"), err
    assert "there is no such block" in err
