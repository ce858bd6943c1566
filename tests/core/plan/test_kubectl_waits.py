"""How the script waits for each kind, spelled out as `kubectl wait` and `kubectl rollout status` take it."""

import pytest

from kubeferry.tasks.core.plan.kubectl.script import wait_for

ON_DELETE = {"updateStrategy": {"type": "OnDelete"}}


@pytest.mark.parametrize(
    ("api_version", "kind", "body", "command"),
    [
        ("apps/v1", "Deployment", {"spec": {"replicas": 0}}, "ready_rollout"),
        ("apps/v1", "Deployment", {"spec": {"paused": True}}, ""),
        ("apps/v1", "StatefulSet", {"spec": {"updateStrategy": {"type": "RollingUpdate"}}}, "ready_rollout"),
        ("apps/v1", "StatefulSet", {"spec": ON_DELETE}, "ready_by 'jsonpath={.status.availableReplicas}=1'"),
        (
            "apps/v1",
            "StatefulSet",
            {"spec": ON_DELETE | {"replicas": 3}},
            "ready_by 'jsonpath={.status.availableReplicas}=3'",
        ),
        ("apps/v1", "StatefulSet", {"spec": ON_DELETE | {"replicas": 0}}, ""),
        ("apps/v1", "DaemonSet", {"spec": {}}, "ready_rollout"),
        ("apps/v1", "DaemonSet", {"spec": ON_DELETE}, "ready_by 'jsonpath={.status.observedGeneration}'"),
        ("apps/v1", "ReplicaSet", {"spec": {"replicas": 2}}, "ready_by 'jsonpath={.status.availableReplicas}=2'"),
        ("apps/v1", "ReplicaSet", {"spec": {"replicas": 0}}, ""),
        ("v1", "ReplicationController", {}, "ready_by 'jsonpath={.status.availableReplicas}=1'"),
        ("batch/v1", "Job", {"spec": {}}, "ready_by 'jsonpath={.status.startTime}'"),
        ("batch/v1", "Job", {"spec": {"suspend": True}}, ""),
        ("batch/v1", "CronJob", {"spec": {}}, ""),
        ("v1", "Pod", {}, "ready_by condition=Ready"),
        ("v1", "PersistentVolumeClaim", {}, "ready_claim"),
        ("v1", "Namespace", {}, "ready_by 'jsonpath={.status.phase}=Active'"),
        ("v1", "ResourceQuota", {}, "ready_by 'jsonpath={.status.hard}'"),
        ("v1", "Secret", {"type": "kubernetes.io/service-account-token"}, "ready_by 'jsonpath={.data.token}'"),
        ("v1", "Secret", {"type": "Opaque"}, ""),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", {}, "ready_by condition=Established"),
        ("apiregistration.k8s.io/v1", "APIService", {}, "ready_by condition=Available"),
        ("v1", "Service", {}, ""),
        ("networking.k8s.io/v1", "Ingress", {}, ""),
        ("example.com/v1", "Deployment", {}, "ready_custom"),
        ("cert-manager.io/v1", "Certificate", {}, "ready_custom"),
        ("gateway.networking.k8s.io/v1", "Gateway", {}, "ready_custom"),
        ("snapshot.storage.k8s.io/v1", "VolumeSnapshot", {}, "ready_custom"),
    ],
)
def test_each_kind_is_waited_for_in_its_own_way(api_version, kind, body, command):
    assert wait_for({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, **body}) == command
