"""Quantities as Kubernetes reads them, and what a restore takes from a quota."""

from collections import defaultdict
from decimal import Decimal

import pytest

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.plan.quota import NAMED, quantity, requested, shortage


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", "0"),
        ("1", "1"),
        (2, "2"),
        (1.5, "1.5"),
        ("0.5", "0.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-1", "-1"),
        ("+1", "1"),
        ("100m", "0.1"),
        ("5u", "0.000005"),
        ("5n", "0.000000005"),
        ("1k", "1000"),
        ("1M", "1000000"),
        ("1G", "1000000000"),
        ("1T", "1000000000000"),
        ("1P", "1000000000000000"),
        ("1E", "1000000000000000000"),
        ("1Ki", "1024"),
        ("1Mi", "1048576"),
        ("1Gi", "1073741824"),
        ("1Ti", "1099511627776"),
        ("1Pi", "1125899906842624"),
        ("1Ei", "1152921504606846976"),
        ("1.5Gi", "1610612736"),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("1e-3", "0.001"),
        ("12.5e+2", "1250"),
    ],
)
def test_each_form_of_a_quantity(text, number):
    assert quantity(text) == Decimal(number)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lots",
        "1K",
        "1ki",
        "1mi",
        "1i",
        "1 Gi",
        "1Gi ",
        "e3",
        "1e",
        "0x10",
        "NaN",
        "Infinity",
        "1e9999",
        "--1",
        None,
        [],
        {},
        True,
        "٣",
        "9" * 999,
    ],
)
def test_what_is_no_quantity_is_refused_in_a_short_line(text):
    with pytest.raises(DamagedError, match="is not a quantity") as caught:
        quantity(text)
    assert len(str(caught.value)) < 100


def workload(kind, spec, group="apps"):
    meta = {"name": "web", "namespace": "shop"}
    return {"apiVersion": f"{group}/v1" if group else "v1", "kind": kind, "metadata": meta, "spec": spec}


def template(*resources):
    return {"template": {"spec": {"containers": [{"name": "c", "resources": each} for each in resources]}}}


def test_a_workload_takes_its_pods_and_their_sums():
    spec = {"replicas": 3, **template({"requests": {"cpu": "100m", "memory": "1Gi"}, "limits": {"cpu": "1"}}, {})}
    assert requested(workload("Deployment", spec), "deployments.apps") == {
        "count/deployments.apps": 1,
        "pods": 3,
        "requests.cpu": Decimal("0.3"),
        "cpu": Decimal("0.3"),
        "requests.memory": 3 * 2**30,
        "memory": 3 * 2**30,
        "limits.cpu": 3,
    }


def test_what_is_only_limited_is_requested_too():
    found = requested(workload("StatefulSet", template({"limits": {"cpu": "1"}})), "statefulsets.apps")
    assert (found["requests.cpu"], found["cpu"], found["limits.cpu"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("kind", "group", "spec", "pods"),
    [
        ("Deployment", "apps", {}, 1),
        ("Deployment", "apps", {"replicas": None}, 1),
        ("Deployment", "apps", {"replicas": 0}, 0),
        ("ReplicaSet", "apps", {"replicas": 2}, 2),
        ("ReplicationController", "", {"replicas": 2}, 2),
        ("Job", "batch", {}, 1),
        ("Job", "batch", {"parallelism": 4}, 4),
        ("Job", "batch", {"parallelism": 0}, 0),
        ("Job", "batch", {"parallelism": 4, "suspend": True}, 0),
        ("Pod", "", {}, 1),
        ("DaemonSet", "apps", {}, 0),
        ("CronJob", "batch", {}, 0),
        ("Deployment", "example.com", {"replicas": 3}, 0),
    ],
)
def test_pods_of_each_kind(kind, group, spec, pods):
    assert requested(workload(kind, spec, group), "things")["pods"] == pods


@pytest.mark.parametrize("resource", sorted(NAMED))
def test_core_resources_count_by_their_bare_name_too(resource):
    found = requested({"apiVersion": "v1", "kind": "Any", "metadata": {"name": "a"}}, resource)
    assert (found[resource], found[f"count/{resource}"]) == (1, 1)


@pytest.mark.parametrize(
    ("spec", "ports", "balancers"),
    [
        ({"type": "ClusterIP", "ports": [{}, {}]}, 0, 0),
        ({"type": "NodePort", "ports": [{}, {}]}, 2, 0),
        ({"type": "LoadBalancer", "ports": [{}]}, 1, 1),
        ({"type": "NodePort"}, 0, 0),
        (None, 0, 0),
        ("text", 0, 0),
    ],
)
def test_services_by_type(spec, ports, balancers):
    found = requested(workload("Service", spec, ""), "services")
    assert (found["services.nodeports"], found["services.loadbalancers"]) == (ports, balancers)


def test_a_claim_takes_storage():
    claim = workload("PersistentVolumeClaim", {"resources": {"requests": {"storage": "10Gi"}}}, "")
    found = requested(claim, "persistentvolumeclaims")
    assert (found["requests.storage"], found["persistentvolumeclaims"]) == (10 * 2**30, 1)


def test_an_amount_that_is_none_names_its_object():
    with pytest.raises(DamagedError, match=r"Deployment\.apps shop/web: 'lots' is not a quantity"):
        requested(workload("Deployment", template({"requests": {"cpu": "lots"}})), "deployments.apps")


@pytest.mark.parametrize("odd", [[], "text", {"requests": "x", "limits": []}, {"requests": None}])
def test_odd_resources_are_passed_over(odd):
    assert requested(workload("Deployment", template(odd)), "deployments.apps") == {
        "count/deployments.apps": 1,
        "pods": 1,
    }


def wanted(**amounts):
    return defaultdict(Decimal, {name.replace("_", "."): Decimal(amount) for name, amount in amounts.items()})


def quota(hard, used=None, **spec):
    return {"spec": {"hard": hard, **spec}, "status": {"used": used or {}}}


def test_what_fits_exactly_is_enough():
    assert shortage(quota({"pods": "10", "cpu": "1"}, {"pods": "7", "cpu": "500m"}), wanted(pods=3, cpu="0.5")) == []


def test_each_shortage_is_reported_with_what_is_left():
    hard = {"pods": "10", "requests.memory": "1Gi", "secrets": "5"}
    found = shortage(quota(hard, {"pods": "9"}), wanted(pods=2, requests_memory=2**31))
    assert found == ["pods: 2 requested, 1 of 10 left", "requests.memory: 2147483648 requested, 1073741824 of 1Gi left"]


def test_a_quota_that_is_exceeded_already_refuses_only_what_adds_to_it():
    full = quota({"pods": "1", "services": "1"}, {"pods": "3", "services": "3"})
    assert shortage(full, wanted(services=1)) == ["services: 1 requested, -2 of 1 left"]


def test_what_no_quota_limits_is_never_short():
    assert shortage(quota({"pods": "1"}), wanted(secrets=999)) == []
    assert shortage({}, wanted(pods=1)) == []


@pytest.mark.parametrize("scope", [{"scopes": ["Terminating"]}, {"scopeSelector": {"matchExpressions": [{}]}}])
def test_quotas_with_scopes_are_not_judged(scope):
    assert shortage(quota({"pods": "0"}, **scope), wanted(pods=9)) == []
