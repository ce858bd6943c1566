"""What the demo prints, and that nothing wrong gets past its exit code; the demo itself runs in tests/cluster."""

import dataclasses
import os

import pytest

from kubeferry.deployments.sample.live import Live
from kubeferry.flows.commands.demo import OTHERS, enter
from kubeferry.flows.console import demo_table
from kubeferry.flows.demo import COPIES, ORIGINAL, Copy, Demonstration, left_out
from kubeferry.tasks.core.compare.restored import WHOLE, Finding
from kubeferry.tasks.core.formats.records import LeftOut, Phase
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.readiness.verdict import Context
from kubeferry.tasks.core.models.results import BackupResult, RestoreResult

WEB = Ref("apps", "Deployment", "shop", "web")
SEED = Ref("batch", "Job", "shop", "seed")


def deployment(namespace, available=1):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace, "generation": 1},
        "spec": {"replicas": 1},
        "status": {
            "observedGeneration": 1,
            **dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), available),
            "conditions": [{"type": "Available", "status": str(bool(available))}],
        },
    }


def job():
    finished = [{"type": "Complete", "status": "True"}]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "seed", "namespace": "shop"},
        "spec": {},
        "status": {"conditions": finished, "startTime": "2026-01-01T00:00:00Z"},
    }


def live(spot, *objects):
    return Live(spot.cluster, spot.namespace, {Ref.of(each): each for each in objects}, Context())


@pytest.fixture
def shown(moment):
    """A demonstration in which all is well: each copy has the Deployment, and the Job had finished."""
    common = {"phase": Phase.COMPLETED, "store": "s3://kubeferry", "started": moment, "completed": moment, "counts": {}}
    done = LeftOut(type="Job.batch", namespace="shop", name="seed", why="has finished (Complete)")
    saved = BackupResult(name="b", cluster="a", namespaces=["shop"], revision="7", bytes=1, left_out=[done], **common)
    restored = RestoreResult(name="r", backup="b", cluster="a", namespaces={}, actions={}, **common)
    findings = [
        Finding(WEB, "metadata.uid", "assigned by the cluster", "metadata.uid: 1 → 2"),
        Finding(SEED, WHOLE, "has finished (Complete)", "only in the original"),
    ]
    copies = [Copy(restored, live(spot, deployment(spot.namespace)), findings) for spot in COPIES]
    return Demonstration(saved, live(ORIGINAL, deployment("shop"), job()), copies)


def worse(shown, **changes):
    """The same, but for the second copy."""
    return dataclasses.replace(shown, copies=[shown.copies[0], dataclasses.replace(shown.copies[1], **changes)])


def printed(shown, capsys):
    demo_table.tables(shown, "http://127.0.0.1:4200/runs")
    return capsys.readouterr().out


def test_all_is_well(shown, capsys):
    out = printed(shown, capsys)
    assert demo_table.ok(shown)
    rows = [line.split("  ") for line in out.splitlines()]
    assert [row[0] for row in rows if row[0].startswith(("Deployment", "Job"))] == [
        "Deployment web",
        "Job seed",
        "Deployment",
        "Job",
    ]
    assert out.count("ready: 1 of 1") == 3
    assert out.count("left out: has finished (Complete)") == 2
    assert "assigned by the cluster" in out
    assert "1 + 1" in out
    assert "all 4 differences are explained" in out
    assert "http://127.0.0.1:4200/runs" in out
    assert "kubeferry list" in out
    assert "kubeferry sandbox down" in out


def test_a_difference_that_nothing_explains_fails_the_demo(shown, capsys):
    odd = Finding(WEB, "spec.replicas", None, "spec.replicas: 1 → 2")
    bad = worse(shown, findings=[*shown.copies[1].findings, odd])
    assert not demo_table.ok(bad)
    out = printed(bad, capsys)
    assert "not explained: kubeferry-b/shop: Deployment.apps shop/web: spec.replicas: 1 → 2" in out
    assert "all 5" not in out
    assert "The demo failed" in out
    assert demo_table.document(bad)["unexplained"] == [
        {
            "namespace": "kubeferry-b/shop",
            "object": str(WEB),
            "field": "spec.replicas",
            "values": "spec.replicas: 1 → 2",
        }
    ]


def test_a_workload_that_is_not_ready_fails_the_demo(shown, capsys):
    bad = worse(shown, live=live(COPIES[1], deployment("shop", available=0)))
    assert not demo_table.ok(bad)
    assert "not ready: kubeferry-b/shop: Deployment web: waiting, " in printed(bad, capsys)


def test_a_workload_that_is_not_there_fails_the_demo(shown, capsys):
    bad = worse(shown, live=live(COPIES[1]))
    assert not demo_table.ok(bad)
    assert "not ready: kubeferry-b/shop: Deployment web: missing, it is not there" in printed(bad, capsys)


def test_a_partial_restore_fails_the_demo(shown):
    partial = shown.copies[1].restored.model_copy(update={"phase": Phase.PARTIAL})
    assert not demo_table.ok(worse(shown, restored=partial))


def test_what_is_wrong_is_red_on_a_terminal(shown, capsys, monkeypatch):
    monkeypatch.setattr(demo_table, "line", lambda text, style="": print(f"<{style}>{text}"))
    out = printed(worse(shown, live=live(COPIES[1])), capsys)
    assert "<bold red>not ready: kubeferry-b/shop" in out


def test_a_program_gets_the_same_as_a_person(shown):
    document = demo_table.document(shown)
    assert document["ok"]
    assert document["namespaces"] == ["kubeferry-a/shop", "kubeferry-a/shop-copy", "kubeferry-b/shop"]
    assert [each["workload"] for each in document["workloads"]] == ["Deployment web", "Job seed"]
    assert {state["state"] for state in document["workloads"][0]["namespaces"].values()} == {"ready"}
    assert document["differences"][0]["counts"] == {"kubeferry-a/shop-copy": 1, "kubeferry-b/shop": 1}
    assert (document["backup"]["name"], [each["name"] for each in document["restores"]]) == ("b", ["r", "r"])


def test_what_was_left_out_is_found_again_by_identity(shown):
    assert left_out(shown.saved, shown.copies[0].restored) == {SEED: "has finished (Complete)"}


def test_the_sandboxs_credentials_replace_those_of_another_server(monkeypatch):
    for name in OTHERS:
        monkeypatch.setenv(name, "somewhere else")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("KUBECONFIG", "mine")
    enter({"AWS_ACCESS_KEY_ID": "the sandbox's", "KUBECONFIG": "the sandbox's"})
    assert not set(OTHERS) & os.environ.keys()
    assert os.environ["AWS_ACCESS_KEY_ID"] == "the sandbox's"
    assert os.environ["KUBECONFIG"] == "mine", "clusters are named in the options, not in the environment"
