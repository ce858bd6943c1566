"""Which lists a strategic merge patch merges, and by which key: the tags of the types of the API.

Made by `python -m tests.support.patch_tags` from the OpenAPI documents (x-kubernetes-patch-strategy, -merge-key) of
Kubernetes. It holds the tagged fields, and the fields on the way to them: what is in no list and has no row is merged
key by key, and a list without a row is replaced.
"""

from __future__ import annotations

from typing import NamedTuple


class Field(NamedTuple):
    """How a patch treats a field: the type of its value or items, its strategy, and the key by which items merge."""

    type: str = ""
    strategy: str = ""
    """`merge`, `replace`, or "" for the default: maps are merged, lists are replaced."""
    key: str = ""
    """"" for a list of plain values."""


PACKAGES: dict[str, str] = {
    "admissionregistration.k8s.io/v1": "admissionregistration.v1",
    "apiregistration.k8s.io/v1": "apiregistration.v1",
    "apps/v1": "apps.v1",
    "autoscaling/v2": "autoscaling.v2",
    "batch/v1": "batch.v1",
    "flowcontrol.apiserver.k8s.io/v1": "flowcontrol.v1",
    "networking.k8s.io/v1": "networking.v1",
    "policy/v1": "policy.v1",
    "resource.k8s.io/v1": "resource.v1",
    "storage.k8s.io/v1": "storage.v1",
    "v1": "core.v1",
}
"""apiVersion → package of the types of its kinds."""

OBJECT_META = "meta.v1.ObjectMeta"

FIELDS: dict[str, dict[str, Field]] = {
    "admissionregistration.v1.MutatingAdmissionPolicy": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "spec": Field("admissionregistration.v1.MutatingAdmissionPolicySpec"),
    },
    "admissionregistration.v1.MutatingAdmissionPolicySpec": {
        "matchConditions": Field("admissionregistration.v1.MatchCondition", "merge", "name"),
    },
    "admissionregistration.v1.MutatingWebhook": {
        "matchConditions": Field("admissionregistration.v1.MatchCondition", "merge", "name"),
    },
    "admissionregistration.v1.MutatingWebhookConfiguration": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "webhooks": Field("admissionregistration.v1.MutatingWebhook", "merge", "name"),
    },
    "admissionregistration.v1.ValidatingAdmissionPolicy": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "spec": Field("admissionregistration.v1.ValidatingAdmissionPolicySpec"),
    },
    "admissionregistration.v1.ValidatingAdmissionPolicySpec": {
        "matchConditions": Field("admissionregistration.v1.MatchCondition", "merge", "name"),
        "variables": Field("admissionregistration.v1.Variable", "merge", "name"),
    },
    "admissionregistration.v1.ValidatingWebhook": {
        "matchConditions": Field("admissionregistration.v1.MatchCondition", "merge", "name"),
    },
    "admissionregistration.v1.ValidatingWebhookConfiguration": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "webhooks": Field("admissionregistration.v1.ValidatingWebhook", "merge", "name"),
    },
    "apiregistration.v1.APIService": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "status": Field("apiregistration.v1.APIServiceStatus"),
    },
    "apiregistration.v1.APIServiceStatus": {
        "conditions": Field("apiregistration.v1.APIServiceCondition", "merge", "type"),
    },
    "apps.v1.DaemonSet": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "spec": Field("apps.v1.DaemonSetSpec"),
        "status": Field("apps.v1.DaemonSetStatus"),
    },
    "apps.v1.DaemonSetSpec": {
        "template": Field("core.v1.PodTemplateSpec"),
    },
    "apps.v1.DaemonSetStatus": {
        "conditions": Field("apps.v1.DaemonSetCondition", "merge", "type"),
    },
    "apps.v1.Deployment": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "spec": Field("apps.v1.DeploymentSpec"),
        "status": Field("apps.v1.DeploymentStatus"),
    },
    "apps.v1.DeploymentSpec": {
        "template": Field("core.v1.PodTemplateSpec"),
    },
    "apps.v1.DeploymentStatus": {
        "conditions": Field("apps.v1.DeploymentCondition", "merge", "type"),
    },
    "apps.v1.ReplicaSet": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "spec": Field("apps.v1.ReplicaSetSpec"),
        "status": Field("apps.v1.ReplicaSetStatus"),
    },
    "apps.v1.ReplicaSetSpec": {
        "template": Field("core.v1.PodTemplateSpec"),
    },
    "apps.v1.ReplicaSetStatus": {
        "conditions": Field("apps.v1.ReplicaSetCondition", "merge", "type"),
    },
    "apps.v1.StatefulSet": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "spec": Field("apps.v1.StatefulSetSpec"),
        "status": Field("apps.v1.StatefulSetStatus"),
    },
    "apps.v1.StatefulSetSpec": {
        "template": Field("core.v1.PodTemplateSpec"),
    },
    "apps.v1.StatefulSetStatus": {
        "conditions": Field("apps.v1.StatefulSetCondition", "merge", "type"),
    },
    "autoscaling.v2.HorizontalPodAutoscaler": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "status": Field("autoscaling.v2.HorizontalPodAutoscalerStatus"),
    },
    "autoscaling.v2.HorizontalPodAutoscalerStatus": {
        "conditions": Field("autoscaling.v2.HorizontalPodAutoscalerCondition", "merge", "type"),
    },
    "batch.v1.CronJob": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "spec": Field("batch.v1.CronJobSpec"),
    },
    "batch.v1.CronJobSpec": {
        "jobTemplate": Field("batch.v1.JobTemplateSpec"),
    },
    "batch.v1.Job": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "spec": Field("batch.v1.JobSpec"),
        "status": Field("batch.v1.JobStatus"),
    },
    "batch.v1.JobSpec": {
        "template": Field("core.v1.PodTemplateSpec"),
    },
    "batch.v1.JobStatus": {
        "conditions": Field("batch.v1.JobCondition", "merge", "type"),
    },
    "batch.v1.JobTemplateSpec": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "spec": Field("batch.v1.JobSpec"),
    },
    "core.v1.ComponentStatus": {
        "conditions": Field("core.v1.ComponentCondition", "merge", "type"),
        "metadata": Field("meta.v1.ObjectMeta"),
    },
    "core.v1.Container": {
        "env": Field("core.v1.EnvVar", "merge", "name"),
        "ports": Field("core.v1.ContainerPort", "merge", "containerPort"),
        "volumeDevices": Field("core.v1.VolumeDevice", "merge", "devicePath"),
        "volumeMounts": Field("core.v1.VolumeMount", "merge", "mountPath"),
    },
    "core.v1.EphemeralContainer": {
        "env": Field("core.v1.EnvVar", "merge", "name"),
        "ports": Field("core.v1.ContainerPort", "merge", "containerPort"),
        "volumeDevices": Field("core.v1.VolumeDevice", "merge", "devicePath"),
        "volumeMounts": Field("core.v1.VolumeMount", "merge", "mountPath"),
    },
    "core.v1.EphemeralVolumeSource": {
        "volumeClaimTemplate": Field("core.v1.PersistentVolumeClaimTemplate"),
    },
    "core.v1.Namespace": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "status": Field("core.v1.NamespaceStatus"),
    },
    "core.v1.NamespaceStatus": {
        "conditions": Field("core.v1.NamespaceCondition", "merge", "type"),
    },
    "core.v1.Node": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "spec": Field("core.v1.NodeSpec"),
        "status": Field("core.v1.NodeStatus"),
    },
    "core.v1.NodeSpec": {
        "podCIDRs": Field("", "merge"),
    },
    "core.v1.NodeStatus": {
        "addresses": Field("core.v1.NodeAddress", "merge", "type"),
        "conditions": Field("core.v1.NodeCondition", "merge", "type"),
    },
    "core.v1.PersistentVolumeClaim": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "status": Field("core.v1.PersistentVolumeClaimStatus"),
    },
    "core.v1.PersistentVolumeClaimStatus": {
        "conditions": Field("core.v1.PersistentVolumeClaimCondition", "merge", "type"),
    },
    "core.v1.PersistentVolumeClaimTemplate": {
        "metadata": Field("meta.v1.ObjectMeta"),
    },
    "core.v1.Pod": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "spec": Field("core.v1.PodSpec"),
        "status": Field("core.v1.PodStatus"),
    },
    "core.v1.PodSpec": {
        "containers": Field("core.v1.Container", "merge", "name"),
        "ephemeralContainers": Field("core.v1.EphemeralContainer", "merge", "name"),
        "hostAliases": Field("core.v1.HostAlias", "merge", "ip"),
        "imagePullSecrets": Field("core.v1.LocalObjectReference", "merge", "name"),
        "initContainers": Field("core.v1.Container", "merge", "name"),
        "resourceClaims": Field("core.v1.PodResourceClaim", "merge", "name"),
        "schedulingGates": Field("core.v1.PodSchedulingGate", "merge", "name"),
        "topologySpreadConstraints": Field("core.v1.TopologySpreadConstraint", "merge", "topologyKey"),
        "volumes": Field("core.v1.Volume", "merge", "name"),
    },
    "core.v1.PodStatus": {
        "conditions": Field("core.v1.PodCondition", "merge", "type"),
        "hostIPs": Field("core.v1.HostIP", "merge", "ip"),
        "podIPs": Field("core.v1.PodIP", "merge", "ip"),
        "resourceClaimStatuses": Field("core.v1.PodResourceClaimStatus", "merge", "name"),
    },
    "core.v1.PodTemplate": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "template": Field("core.v1.PodTemplateSpec"),
    },
    "core.v1.PodTemplateSpec": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "spec": Field("core.v1.PodSpec"),
    },
    "core.v1.ReplicationController": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "spec": Field("core.v1.ReplicationControllerSpec"),
        "status": Field("core.v1.ReplicationControllerStatus"),
    },
    "core.v1.ReplicationControllerSpec": {
        "template": Field("core.v1.PodTemplateSpec"),
    },
    "core.v1.ReplicationControllerStatus": {
        "conditions": Field("core.v1.ReplicationControllerCondition", "merge", "type"),
    },
    "core.v1.Service": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "spec": Field("core.v1.ServiceSpec"),
        "status": Field("core.v1.ServiceStatus"),
    },
    "core.v1.ServiceAccount": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "secrets": Field("core.v1.ObjectReference", "merge", "name"),
    },
    "core.v1.ServiceSpec": {
        "ports": Field("core.v1.ServicePort", "merge", "port"),
    },
    "core.v1.ServiceStatus": {
        "conditions": Field("meta.v1.Condition", "merge", "type"),
    },
    "core.v1.Volume": {
        "ephemeral": Field("core.v1.EphemeralVolumeSource"),
    },
    "flowcontrol.v1.FlowSchema": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "status": Field("flowcontrol.v1.FlowSchemaStatus"),
    },
    "flowcontrol.v1.FlowSchemaStatus": {
        "conditions": Field("flowcontrol.v1.FlowSchemaCondition", "merge", "type"),
    },
    "flowcontrol.v1.PriorityLevelConfiguration": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "status": Field("flowcontrol.v1.PriorityLevelConfigurationStatus"),
    },
    "flowcontrol.v1.PriorityLevelConfigurationStatus": {
        "conditions": Field("flowcontrol.v1.PriorityLevelConfigurationCondition", "merge", "type"),
    },
    "meta.v1.ObjectMeta": {
        "finalizers": Field("", "merge"),
        "ownerReferences": Field("meta.v1.OwnerReference", "merge", "uid"),
    },
    "networking.v1.ServiceCIDR": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "status": Field("networking.v1.ServiceCIDRStatus"),
    },
    "networking.v1.ServiceCIDRStatus": {
        "conditions": Field("meta.v1.Condition", "merge", "type"),
    },
    "policy.v1.PodDisruptionBudget": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "spec": Field("policy.v1.PodDisruptionBudgetSpec"),
        "status": Field("policy.v1.PodDisruptionBudgetStatus"),
    },
    "policy.v1.PodDisruptionBudgetSpec": {
        "selector": Field("meta.v1.LabelSelector", "replace"),
    },
    "policy.v1.PodDisruptionBudgetStatus": {
        "conditions": Field("meta.v1.Condition", "merge", "type"),
    },
    "resource.v1.ResourceClaim": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "status": Field("resource.v1.ResourceClaimStatus"),
    },
    "resource.v1.ResourceClaimStatus": {
        "reservedFor": Field("resource.v1.ResourceClaimConsumerReference", "merge", "uid"),
    },
    "resource.v1.ResourceClaimTemplate": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "spec": Field("resource.v1.ResourceClaimTemplateSpec"),
    },
    "resource.v1.ResourceClaimTemplateSpec": {
        "metadata": Field("meta.v1.ObjectMeta"),
    },
    "storage.v1.CSINode": {
        "metadata": Field("meta.v1.ObjectMeta"),
        "spec": Field("storage.v1.CSINodeSpec"),
    },
    "storage.v1.CSINodeSpec": {
        "drivers": Field("storage.v1.CSINodeDriver", "merge", "name"),
    },
}
"""Type → field → how it is patched. Other kinds have only metadata, of the type `OBJECT_META`."""
