"""The verdict on each recorded object is what its file's name promises, and the reason is the one in its first line."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from kubeferry.tasks.core.kube.readiness.evaluate import RULES, verdict
from kubeferry.tasks.core.kube.readiness.verdict import Context

DATA = Path(__file__).parents[2] / "data" / "readiness"
CASES = sorted(path.stem for path in DATA.glob("*.yaml"))
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CONTEXT = Context(wait_for_first_consumer=frozenset({"local"}), default_class="local")


def load(case):
    return yaml.load((DATA / f"{case}.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)


def promised_reason(case):
    return (DATA / f"{case}.yaml").read_text(encoding="utf-8").splitlines()[0].removeprefix("# why: ")


@pytest.mark.parametrize("case", CASES)
def test_recorded_object_gets_the_verdict_its_name_promises(case):
    found = verdict(load(case), NOW, CONTEXT)
    assert (found.state, found.why) == (case.rpartition("-")[2], promised_reason(case))


def test_every_rule_has_a_recorded_object():
    """A rule that no file exercises would be believed without having been seen to work."""
    seen = {(obj["apiVersion"].rpartition("/")[0], obj["kind"]) for obj in map(load, CASES)}
    on_demand = {("networking.k8s.io", "Ingress"), ("extensions", "Ingress")}  # tested below
    assert set(RULES) - seen == on_demand


@pytest.mark.parametrize(("seconds", "state"), [(16, "failed"), (15, "waiting")])
def test_scheduler_is_given_fifteen_seconds(seconds, state):
    pod = load("pod-unschedulable-failed")
    since = datetime.fromisoformat(pod["status"]["conditions"][0]["lastTransitionTime"])
    assert verdict(pod, since + timedelta(seconds=seconds)).state == state


@pytest.mark.parametrize("since", [None, "yesterday", "2026-03-01T11:00:00", 7])
def test_unschedulable_since_an_unreadable_time_is_waited_for(since):
    pod = load("pod-unschedulable-failed")
    pod["status"]["conditions"][0]["lastTransitionTime"] = since
    assert verdict(pod, NOW).state == "waiting"


def test_claim_waits_where_its_class_binds_at_once():
    claim = load("claim-waits-for-consumer-ready")
    assert verdict(claim, NOW, Context()).state == "waiting"
    assert verdict(load("claim-of-default-class-waits-for-consumer-ready"), NOW, Context()).state == "waiting"


BALANCER = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"type": "LoadBalancer"}}
INGRESS = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"}, "spec": {}}
ADDRESS = {"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}}


@pytest.mark.parametrize("obj", [BALANCER, INGRESS])
@pytest.mark.parametrize(
    ("status", "on_demand", "state"),
    [({}, False, "ready"), ({}, True, "waiting"), (ADDRESS, True, "ready"), (ADDRESS, False, "ready")],
)
def test_address_is_waited_for_only_on_demand(obj, status, on_demand, state):
    assert verdict(obj | status, NOW, Context(wait_for_addresses=on_demand)).state == state


def test_service_without_balancer_never_waits_for_an_address():
    assert verdict(load("service-cluster-ip-ready"), NOW, Context(wait_for_addresses=True)).state == "ready"


@pytest.mark.parametrize("status", [None, "text", [], {"conditions": "text"}, {"conditions": [None, "Ready"]}])
@pytest.mark.parametrize("case", CASES)
def test_no_status_of_any_shape_raises(case, status):
    obj = load(case) | {"status": status}
    assert verdict(obj, NOW, CONTEXT).state in {"ready", "waiting"}


@pytest.mark.parametrize(
    ("observed", "state"),
    [
        *((2, "ready"), (1, "waiting"), (3, "waiting"), ("2", "ready"), ("1", "waiting"), (None, "ready")),
        ("756484788", "ready"),  # hashes of a pod template, as old Argo Rollouts write: some have only digits
        ("6fbb5d8c9", "ready"),
        ("9" * 5000, "ready"),
        *((True, "ready"), ("", "ready"), ("\u0662", "ready"), ({}, "ready"), (2.5, "ready")),
    ],
)
def test_a_controller_lags_only_behind_a_generation(observed, state):
    rollout = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "shop", "generation": 2},
        "status": {"observedGeneration": observed},
    }
    assert verdict(rollout, NOW).state == state
    del rollout["metadata"]["generation"]
    assert verdict(rollout, NOW).state == "ready"
