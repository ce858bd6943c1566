"""What `ready` means for each kind, in one phrase for a person. A test holds the table and the rules together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeferry.tasks.core.kube.objects import Ref

READY_WHEN: Mapping[tuple[str, str], str] = {
    ("apps", "Deployment"): "all replicas are updated and available",
    ("apps", "StatefulSet"): "all replicas are updated and available",
    ("apps", "DaemonSet"): "every node that should run it has an available pod",
    ("apps", "ReplicaSet"): "all replicas are available",
    ("", "ReplicationController"): "all replicas are available",
    ("batch", "Job"): "it has started (or is complete, or suspended)",
    ("batch", "CronJob"): "it exists",
    ("", "Pod"): "its condition Ready is true",
    ("", "PersistentVolumeClaim"): "it is bound, unless that waits for its first pod",
    ("", "PersistentVolume"): "it is Available or Bound",
    ("", "Namespace"): "it is Active and has its account `default`",
    ("", "ResourceQuota"): "its use is counted",
    ("", "Secret"): "it exists (a service-account token: is issued)",
    ("", "Service"): "it exists",
    ("", "ServiceAccount"): "it exists",
    ("networking.k8s.io", "Ingress"): "it exists",
    ("extensions", "Ingress"): "it exists",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "it is established and its kind is served",
    ("apiregistration.k8s.io", "APIService"): "the API server can reach what serves it",
    ("autoscaling", "HorizontalPodAutoscaler"): "it exists",
    ("policy", "PodDisruptionBudget"): "it exists",
}

BUILT_IN = "it exists"
CUSTOM = "its condition Ready is true, if it has one"


def ready_when(ref: Ref) -> str:
    """Return what an object is waited for, after it was created."""
    native = "." not in ref.group or ref.group.endswith(".k8s.io")
    return READY_WHEN.get((ref.group, ref.kind), BUILT_IN if native else CUSTOM)
