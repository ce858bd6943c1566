"""`kubeferry demo` as a newcomer runs it: twice, whatever else is in the environment."""

import json
import os
import subprocess

import pytest
from tests.support.cli import COMMAND
from tests.support.limits import LIMIT

from kubeferry.tasks.ports.cluster.client import connect

NAMES = ["kubeferry-a/shop", "kubeferry-a/shop-copy", "kubeferry-b/shop"]


@pytest.fixture(scope="module")
def demo(sandbox, prefect_server, tmp_path_factory):
    """Run the demo on the session's sandbox, in an environment that points everywhere else."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    others = {
        "KUBEFERRY_HOME": str(sandbox.home.parents[1]),
        "PREFECT_API_URL": prefect_server,
        "KUBECONFIG": str(elsewhere / "kubeconfig"),
        "KUBEFERRY_CONTEXT": "production",
        "KUBEFERRY_KUBECONFIG": str(elsewhere / "kubeconfig"),
        "KUBEFERRY_STORE": (elsewhere / "store").as_uri(),
        "AWS_PROFILE": "production",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    }

    def run(*arguments):
        argv = [COMMAND, "demo", *arguments]
        done = subprocess.run(
            argv, env={**os.environ, **others}, capture_output=True, text=True, check=False, timeout=LIMIT
        )
        assert not list(elsewhere.iterdir()), "only the sandbox is touched"
        return done

    return run


@pytest.fixture(scope="module")
def first(demo):
    return demo("-o", "json")


@pytest.fixture(scope="module")
def document(first):
    assert first.returncode == 0, first.stderr
    return json.loads(first.stdout)


def test_every_workload_of_all_three_namespaces_is_ready(document):
    states = {each["workload"]: [each["namespaces"][name]["state"] for name in NAMES] for each in document["workloads"]}
    done = states.pop("Job seed-database")
    assert done == ["ready", "left out", "left out"], "it had finished, and is not run again"
    assert states == dict.fromkeys(
        [
            "CronJob leap-report",
            "DaemonSet logs",
            "Deployment api",
            "Deployment web",
            "Job reindex",
            "Pod toolbox",
            "StatefulSet db",
        ],
        ["ready"] * 3,
    )


def test_every_difference_is_explained(document):
    assert document["ok"]
    assert document["unexplained"] == []
    assert all(each["why"] for each in document["differences"])
    renamed = next(each for each in document["differences"] if each["field"] == "metadata.namespace")
    assert renamed["counts"][NAMES[1]] > 40
    assert renamed["counts"][NAMES[2]] == 0


def test_a_node_port_is_kept_where_it_is_free_and_reported_where_it_is_not(document, sandbox):
    beside, across = document["restores"]
    given_up = [each for each in beside["rewrites"] if each["path"].endswith("nodePort")]
    assert [each["old"] for each in given_up] == ["30080"]
    assert [each for each in across["rewrites"] if each["path"].endswith("nodePort")] == []
    cluster = connect("kubeferry-b", str(sandbox.kubeconfig))
    service = cluster.get(cluster.discover().by_kind("", "Service"), "shop", "web-public")
    assert [port["nodePort"] for port in service["spec"]["ports"]] == [30080]


def test_stdout_is_one_document_and_progress_is_on_stderr(first):
    json.loads(first.stdout)
    assert "installed the sample as kubeferry-a/shop" in first.stderr or "used again" in first.stderr
    assert "restoring it as kubeferry-b/shop" in first.stderr
    assert "Traceback" not in first.stderr


@pytest.mark.usefixtures("document")
@pytest.mark.soak
def test_a_second_demo_takes_the_first_ones_copies_away_and_shows_the_same(demo):
    again = demo()
    assert again.returncode == 0, again.stderr
    for name in NAMES[1:]:
        assert f"removed {name}, which an earlier demo left in this sandbox" in again.stderr
    assert "kubeferry-a/shop is there from an earlier demo and ready: used again" in again.stderr
    assert again.stdout.count("ready: 2 of 2 replicas available") == 9
    assert "Every difference from kubeferry-a/shop" in again.stdout
    assert "not explained" not in again.stdout
    assert "not ready" not in again.stdout
    *_, backed_up, runs, listing, end = again.stdout.splitlines()
    assert backed_up.startswith("kubeferry-a/shop was backed up")
    assert "http://127.0.0.1:" in runs
    assert "kubeferry list" in listing
    assert "kubeferry sandbox down" in end
