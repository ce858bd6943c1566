"""Which fields an API server refuses to change, spelled out from its validation: nothing is read from our tables."""

import pytest

from kubeferry.tasks.core.kube.immutable_fields import can_freeze, freezes


def made(api_version, kind, **body):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "it", "namespace": "shop"}, **body}


FIXED = [
    ("v1", "PersistentVolume", "spec.csi.volumeHandle"),
    ("v1", "PersistentVolume", "spec.nfs.server"),
    ("v1", "PersistentVolume", "spec.hostPath.path"),
    ("v1", "PersistentVolume", "spec.local.path"),
    ("v1", "PersistentVolume", "spec.iscsi.targetPortal"),
    ("v1", "PersistentVolume", "spec.volumeMode"),
    ("v1", "PersistentVolumeClaim", "spec.storageClassName"),
    ("v1", "PersistentVolumeClaim", "spec.accessModes"),
    ("v1", "PersistentVolumeClaim", "spec.volumeName"),
    ("v1", "PersistentVolumeClaim", "spec.selector"),
    ("v1", "PersistentVolumeClaim", "spec.dataSourceRef"),
    ("v1", "Pod", "spec.nodeName"),
    ("v1", "Pod", "spec.serviceAccountName"),
    ("v1", "Pod", "spec.volumes.0.configMap.name"),
    ("v1", "Pod", "spec.containers.0.env.0.value"),
    ("v1", "Pod", "spec.initContainers.0.args.0"),
    ("v1", "Pod", "spec.hostAliases.0.ip"),
    ("v1", "ResourceQuota", "spec.scopes"),
    ("v1", "Secret", "type"),
    ("v1", "Service", "spec.clusterIP"),
    ("v1", "Service", "spec.clusterIPs.0"),
    ("apps/v1", "ControllerRevision", "data"),
    ("apps/v1", "ControllerRevision", "data.spec.template"),
    ("apps/v1", "DaemonSet", "spec.selector.matchLabels.app"),
    ("apps/v1", "Deployment", "spec.selector.matchLabels.app"),
    ("apps/v1", "ReplicaSet", "spec.selector.matchLabels.app"),
    ("apps/v1", "StatefulSet", "spec.selector"),
    ("apps/v1", "StatefulSet", "spec.serviceName"),
    ("apps/v1", "StatefulSet", "spec.podManagementPolicy"),
    ("apps/v1", "StatefulSet", "spec.volumeClaimTemplates.0.spec.storageClassName"),
    ("batch/v1", "Job", "spec.selector"),
    ("batch/v1", "Job", "spec.template.spec.containers.0.image"),
    ("batch/v1", "Job", "spec.completionMode"),
    ("batch/v1", "Job", "spec.podFailurePolicy"),
    ("discovery.k8s.io/v1", "EndpointSlice", "addressType"),
    ("networking.k8s.io/v1", "IngressClass", "spec.controller"),
    ("node.k8s.io/v1", "RuntimeClass", "handler"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "roleRef.name"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "roleRef.name"),
    ("resource.k8s.io/v1", "ResourceClaim", "spec.devices"),
    ("resource.k8s.io/v1", "ResourceClaimTemplate", "spec.spec.devices"),
    ("scheduling.k8s.io/v1", "PriorityClass", "value"),
    ("scheduling.k8s.io/v1", "PriorityClass", "preemptionPolicy"),
    ("storage.k8s.io/v1", "StorageClass", "provisioner"),
    ("storage.k8s.io/v1", "StorageClass", "parameters.type"),
    ("storage.k8s.io/v1", "StorageClass", "reclaimPolicy"),
    ("storage.k8s.io/v1", "StorageClass", "volumeBindingMode"),
]


@pytest.mark.parametrize(("api_version", "kind", "field"), FIXED)
def test_what_cannot_be_changed_is_known(api_version, kind, field):
    assert freezes(made(api_version, kind), field.split("."))


@pytest.mark.parametrize(("api_version", "kind"), sorted({each[:2] for each in FIXED}))
def test_a_kind_with_such_a_field_may_freeze(api_version, kind):
    assert can_freeze((api_version.rpartition("/")[0], kind))
    assert not can_freeze(("example.com", kind))


FREE = [
    ("v1", "PersistentVolume", "spec.claimRef"),
    ("v1", "PersistentVolume", "spec.capacity.storage"),
    ("v1", "PersistentVolume", "spec.persistentVolumeReclaimPolicy"),
    ("v1", "PersistentVolumeClaim", "spec.resources.requests.storage"),
    ("v1", "PersistentVolumeClaim", "spec.volumeAttributesClassName"),
    ("v1", "Pod", "spec.activeDeadlineSeconds"),
    ("v1", "Pod", "spec.terminationGracePeriodSeconds"),
    ("v1", "Pod", "spec.tolerations.0"),
    ("v1", "Pod", "spec.containers.0.image"),
    ("v1", "Pod", "spec.initContainers.0.image"),
    ("v1", "Pod", "metadata.labels.app"),
    ("v1", "ResourceQuota", "spec.hard.pods"),
    ("v1", "Secret", "data.key"),
    ("v1", "Service", "spec.clusterIPsOfMine"),
    ("v1", "Service", "spec.externalIPs.0"),
    ("v1", "Service", "spec.externalName"),
    ("apps/v1", "DaemonSet", "spec.template"),
    ("apps/v1", "Deployment", "spec.template.spec.containers.0.env.0.value"),
    ("apps/v1", "ReplicaSet", "spec.template"),
    ("apps/v1", "StatefulSet", "spec.minReadySeconds"),
    ("apps/v1", "StatefulSet", "spec.ordinals.start"),
    ("apps/v1", "StatefulSet", "spec.persistentVolumeClaimRetentionPolicy.whenDeleted"),
    ("apps/v1", "StatefulSet", "spec.replicas"),
    ("apps/v1", "StatefulSet", "spec.revisionHistoryLimit"),
    ("apps/v1", "StatefulSet", "spec.template.spec.containers.0.args.0"),
    ("apps/v1", "StatefulSet", "spec.updateStrategy.type"),
    ("apps/v1", "ControllerRevision", "revision"),
    ("batch/v1", "CronJob", "spec.jobTemplate.spec.template"),
    ("batch/v1", "Job", "spec.activeDeadlineSeconds"),
    ("batch/v1", "Job", "spec.backoffLimit"),
    ("batch/v1", "Job", "spec.completions"),
    ("batch/v1", "Job", "spec.parallelism"),
    ("batch/v1", "Job", "spec.suspend"),
    ("batch/v1", "Job", "spec.ttlSecondsAfterFinished"),
    ("discovery.k8s.io/v1", "EndpointSlice", "endpoints.0.addresses.0"),
    ("networking.k8s.io/v1", "Ingress", "spec.rules.0.host"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "subjects.0.name"),
    ("scheduling.k8s.io/v1", "PriorityClass", "globalDefault"),
    ("storage.k8s.io/v1", "StorageClass", "allowVolumeExpansion"),
    ("example.com/v1", "Service", "spec.clusterIP"),
    ("example.com/v1", "Job", "spec.template"),
]


@pytest.mark.parametrize(("api_version", "kind", "field"), FREE)
def test_what_may_be_changed_is_not_taken_for_fixed(api_version, kind, field):
    assert not freezes(made(api_version, kind), field.split("."))


def test_only_the_image_of_a_pods_container_may_change_and_only_of_a_pod():
    assert freezes(made("v1", "Pod"), ["spec", "containers", "0", "imagePullPolicy"])
    assert freezes(made("v1", "Pod"), ["spec", "ephemeralContainers", "0", "image"])
    assert freezes(made("v1", "Pod"), ["spec", "volumes", "0", "image"])
    assert freezes(made("batch/v1", "Job"), ["spec", "containers", "0", "image"])
    assert freezes(made("v1", "Pod"), ["spec"])


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_an_immutable_object_keeps_its_data_and_stays_immutable(kind):
    frozen = made("v1", kind, immutable=True)
    for field in ("data", "binaryData", "stringData", "immutable"):
        assert freezes(frozen, [field, "key"])
        assert not freezes(made("v1", kind, immutable=False), [field, "key"])
        assert not freezes(made("example.com/v1", kind, immutable=True), [field, "key"])
    assert not freezes(frozen, ["metadata", "labels", "app"])
    assert can_freeze(("", kind))


@pytest.mark.parametrize(
    ("group", "kind"), [("", "LimitRange"), ("batch", "CronJob"), ("networking.k8s.io", "Ingress")]
)
def test_other_kinds_never_freeze(group, kind):
    assert not can_freeze((group, kind))
