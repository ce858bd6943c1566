"""What --at-rest changes in an object, and that the patch that it notes leads back to the object exactly."""

import json
import shlex

import pytest

from kubeferry.tasks.core.jsondoc.patch import merge_patch
from kubeferry.tasks.core.transform.at_rest import AT_REST, awake, rested, scale_path, scaled_to_none, waking


def obj(api, kind, spec, **meta):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "it", "namespace": "copy", **meta}, "spec": spec}


PORTS = [{"port": 80, "nodePort": 31000}, {"port": 81}]
BALANCER = {
    "type": "LoadBalancer",
    "loadBalancerIP": "192.0.2.9",
    "externalTrafficPolicy": "Local",
    "allocateLoadBalancerNodePorts": False,
    "selector": {"app": "x"},
    "ports": PORTS,
    "externalIPs": ["192.0.2.1"],
}
TEMPLATE = {"spec": {"nodeSelector": {"disk": "ssd"}, "containers": []}}
GATE = {"name": "of/another"}

CASES = {
    "deployment": (obj("apps/v1", "Deployment", {"replicas": 3}), {"replicas": 0}),
    "default": (obj("apps/v1", "StatefulSet", {"serviceName": "a"}), {"replicas": 0, "serviceName": "a"}),
    "controller": (obj("v1", "ReplicationController", {"replicas": 1}), {"replicas": 0}),
    "cron": (obj("batch/v1", "CronJob", {"schedule": "@daily"}), {"schedule": "@daily", "suspend": True}),
    "job": (obj("batch/v1", "Job", {"suspend": False}), {"suspend": True}),
    "daemons": (
        obj("apps/v1", "DaemonSet", {"template": TEMPLATE}),
        {"template": {"spec": {"nodeSelector": {"disk": "ssd", AT_REST: "true"}, "containers": []}}},
    ),
    "pod": (obj("v1", "Pod", {"schedulingGates": [GATE]}), {"schedulingGates": [GATE, {"name": AT_REST}]}),
    "balancer": (
        obj("v1", "Service", BALANCER),
        {"type": "ClusterIP", "selector": {"app": "x"}, "ports": [{"port": 80}, {"port": 81}]},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_rests_and_its_note_wakes_it_up(case):
    before, spec = CASES[case]
    after = rested(before)
    assert after["spec"] == spec
    patch = json.loads(after["metadata"]["annotations"][AT_REST])
    back = merge_patch(after, patch)
    back["metadata"].pop("annotations")
    assert back == before


def test_keda_pauses_and_keeps_its_other_annotations():
    before = obj("keda.sh/v1alpha1", "ScaledObject", {}, annotations={"a": "b"})
    after = rested(before)
    assert after["metadata"]["annotations"]["autoscaling.keda.sh/paused"] == "true"
    assert merge_patch(after, json.loads(after["metadata"]["annotations"][AT_REST])) == before


@pytest.mark.parametrize(
    "each",
    [
        obj("apps/v1", "Deployment", {"replicas": 0}),
        obj("batch/v1", "CronJob", {"suspend": True}),
        obj("v1", "Service", {"type": "NodePort", "ports": PORTS}),
        obj("v1", "ConfigMap", {}),
        obj("example.com/v1", "Deployment", {"replicas": 3}),
        obj("apps/v1", "Deployment", {"replicas": 0}, annotations={AT_REST: '{"spec":{"replicas":3}}'}),
    ],
)
def test_what_is_at_rest_or_no_workload_stays_as_it_is(each):
    assert rested(each) is each


def test_what_its_owner_wakes_up_has_no_note():
    assert rested(obj("apps/v1", "ReplicaSet", {"replicas": 2}), owned=True) == obj(
        "apps/v1", "ReplicaSet", {"replicas": 0}
    )


def test_the_command_has_the_patch_as_one_word():
    words = shlex.split(waking(rested(obj("apps/v1", "Deployment", {"replicas": 3}))))
    assert words[:9] == ["kubectl", "patch", "deployment.apps", "it", "-n", "copy", "--type", "merge", "-p"]
    assert json.loads(words[9]) == {"metadata": {"annotations": {AT_REST: None}}, "spec": {"replicas": 3}}
    assert waking(obj("v1", "ConfigMap", {})) == ""


DEFINITION = {
    "spec": {
        "versions": [
            {"name": "v1", "subresources": {"scale": {"specReplicasPath": ".spec.servers.count"}}},
            {"name": "v2", "subresources": {"status": {}}},
        ]
    }
}


def test_a_custom_resource_is_scaled_where_its_definition_says():
    assert scale_path(DEFINITION, "v1") == ("spec", "servers", "count")
    assert scale_path(DEFINITION, "v2") == scale_path(DEFINITION, "v3") == ()
    before = obj("example.com/v1", "Thing", {"servers": {"count": 3, "size": 1}})
    after = scaled_to_none(before, ("spec", "servers", "count"))
    assert after["spec"] == {"servers": {"count": 0, "size": 1}}
    assert merge_patch(after, json.loads(after["metadata"]["annotations"][AT_REST]))["spec"] == before["spec"]
    assert scaled_to_none(after, ("spec", "servers", "count")) is after
    none = obj("example.com/v1", "Thing", {"servers": {}})
    assert scaled_to_none(none, ("spec", "servers", "count")) is none


def test_what_acts_all_the_same_is_said():
    hook = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    hook |= {"metadata": {"name": "h"}, "webhooks": [{"clientConfig": {"service": {"namespace": "copy", "name": "s"}}}]}
    assert "calls a Service" in awake(hook, {"copy"})
    assert awake(hook, {"other"}) == ""
    assert "goes on" in awake(obj("autoscaling/v2", "HorizontalPodAutoscaler", {}), set())
    assert "not at rest" in awake(obj("gateway.networking.k8s.io/v1", "Gateway", {}), set())
