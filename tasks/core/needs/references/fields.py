"""Which fields of the built-in kinds name another object: the table of references.

`[]` in a path means each entry of a list. The rows of a pod's spec and of a claim's spec are written once, with the
places where kinds have one. Source: the API reference (kubernetes.io/docs/reference), v1.36; that no field of it is
forgotten is a test against the schemas of an API server. What annotations and parameters name is in
reference_marks.py.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ADMISSION = "admissionregistration.k8s.io"
RBAC = "rbac.authorization.k8s.io"
RESOURCE = "resource.k8s.io"
STORAGE = "storage.k8s.io"

Kind = tuple[str, str]
"""(group, kind)."""


class Need(IntEnum):
    """Whether an object works without what it names."""

    NOTHING = 0
    """It does, or waits for it."""
    OUTSIDE = 1
    """It does not. What is outside of the restored namespaces, the target must have: a restore does not bring it. What
    is missing inside of them was missing on the source cluster, too."""
    ANYWHERE = 2
    """It does not, and what it names may have been deleted since: the source of a claim's content."""


class Row(NamedTuple):
    """A field that holds the name of an object of one kind."""

    path: str
    group: str
    kind: str
    need: Need = Need.OUTSIDE
    namespace: str = ""
    """The key beside the name that holds the namespace; "" if it is that of the object itself."""


class Typed(NamedTuple):
    """A field that holds {apiVersion or apiGroup, kind, name[, namespace]}."""

    path: str
    need: Need = Need.OUTSIDE
    wide: bool = True
    """Whether the kind may be cluster-scoped."""


_CONTAINER: tuple[Row, ...] = (
    Row("envFrom[].configMapRef.name", "", "ConfigMap"),
    Row("envFrom[].secretRef.name", "", "Secret"),
    Row("env[].valueFrom.configMapKeyRef.name", "", "ConfigMap"),
    Row("env[].valueFrom.secretKeyRef.name", "", "Secret"),
    Row("securityContext.windowsOptions.gmsaCredentialSpecName", "windows.k8s.io", "GMSACredentialSpec"),
)

_CLAIM_SPEC: tuple[Row, ...] = (
    Row("storageClassName", STORAGE, "StorageClass"),
    Row("volumeAttributesClassName", STORAGE, "VolumeAttributesClass"),
    Row("volumeName", "", "PersistentVolume"),
)

_EPHEMERAL = "volumes[].ephemeral.volumeClaimTemplate.spec"
_DATA_SOURCES = ("dataSource", "dataSourceRef")

_VOLUME_SECRETS = ("cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos")
"""Types of volumes that have a `secretRef`, in pods and in PersistentVolumes."""


def _under(at: str, rows: Iterable[Row]) -> Iterator[Row]:
    """Yield rows for the place where a part of an object is."""
    yield from (row._replace(path=f"{at}.{row.path}") for row in rows)


POD_SPEC: tuple[Row, ...] = (
    Row("serviceAccountName", "", "ServiceAccount"),
    Row("priorityClassName", "scheduling.k8s.io", "PriorityClass"),
    Row("runtimeClassName", "node.k8s.io", "RuntimeClass"),
    Row("schedulingGroup.podGroupName", "scheduling.k8s.io", "PodGroup"),
    Row("imagePullSecrets[].name", "", "Secret"),
    Row("securityContext.windowsOptions.gmsaCredentialSpecName", "windows.k8s.io", "GMSACredentialSpec"),
    Row("volumes[].configMap.name", "", "ConfigMap"),
    Row("volumes[].secret.secretName", "", "Secret"),
    Row("volumes[].persistentVolumeClaim.claimName", "", "PersistentVolumeClaim"),
    Row("volumes[].projected.sources[].configMap.name", "", "ConfigMap"),
    Row("volumes[].projected.sources[].secret.name", "", "Secret"),
    Row("volumes[].projected.sources[].clusterTrustBundle.name", "certificates.k8s.io", "ClusterTrustBundle"),
    Row("volumes[].csi.nodePublishSecretRef.name", "", "Secret"),
    Row("volumes[].azureFile.secretName", "", "Secret"),
    Row("volumes[].glusterfs.endpoints", "", "Endpoints"),
    *(Row(f"volumes[].{each}.secretRef.name", "", "Secret") for each in _VOLUME_SECRETS),
    *_under(_EPHEMERAL, _CLAIM_SPEC),
    Row("resourceClaims[].resourceClaimName", RESOURCE, "ResourceClaim"),
    Row("resourceClaims[].resourceClaimTemplateName", RESOURCE, "ResourceClaimTemplate"),
    *(
        row
        for where in ("initContainers", "containers", "ephemeralContainers")
        for row in _under(f"{where}[]", _CONTAINER)
    ),
)

POD_SPEC_TYPED = tuple(Typed(f"{_EPHEMERAL}.{each}", Need.ANYWHERE, wide=False) for each in _DATA_SOURCES)

POD_SPEC_AT: dict[Kind, str] = {
    ("", "Pod"): "spec",
    ("", "PodTemplate"): "template.spec",
    ("", "ReplicationController"): "spec.template.spec",
    ("apps", "Deployment"): "spec.template.spec",
    ("apps", "ReplicaSet"): "spec.template.spec",
    ("apps", "StatefulSet"): "spec.template.spec",
    ("apps", "DaemonSet"): "spec.template.spec",
    ("batch", "Job"): "spec.template.spec",
    ("batch", "CronJob"): "spec.jobTemplate.spec.template.spec",
}
"""(group, kind) → the path of its pod spec."""


CLUSTER_SCOPED = frozenset(
    {
        ("", "PersistentVolume"),
        ("", "Namespace"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("node.k8s.io", "RuntimeClass"),
        (STORAGE, "StorageClass"),
        (STORAGE, "VolumeAttributesClass"),
        (RESOURCE, "DeviceClass"),
        ("certificates.k8s.io", "ClusterTrustBundle"),
        ("windows.k8s.io", "GMSACredentialSpec"),
        ("networking.k8s.io", "IngressClass"),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        (ADMISSION, "ValidatingAdmissionPolicy"),
        (ADMISSION, "MutatingAdmissionPolicy"),
        (RBAC, "ClusterRole"),
        (RBAC, "ClusterRoleBinding"),
    }
)
"""Cluster-scoped targets of the tables."""

_BACKENDS = ("spec.defaultBackend", "spec.rules[].http.paths[].backend")
_CSI_SECRETS = ("controllerPublish", "nodeStage", "nodePublish")
_CSI_EXPANSION = ("controllerExpand", "nodeExpand")
_REQUESTS = ("exactly.", "firstAvailable[].", "")
"""Where a request of a ResourceClaim names its class; the last is that of v1beta1."""


def _devices(at: str) -> tuple[Row, ...]:
    return tuple(Row(f"{at}.devices.requests[].{each}deviceClassName", RESOURCE, "DeviceClass") for each in _REQUESTS)


TABLE: dict[Kind, tuple[Row, ...]] = {
    ("", "ServiceAccount"): (
        Row("imagePullSecrets[].name", "", "Secret"),
        Row("secrets[].name", "", "Secret", Need.NOTHING),
    ),
    ("", "PersistentVolumeClaim"): tuple(_under("spec", _CLAIM_SPEC)),
    ("", "PersistentVolume"): (
        # A volume is bound to the claim that names it even if there is no such class (kubernetes.io: Class).
        Row("spec.storageClassName", STORAGE, "StorageClass", Need.NOTHING),
        Row("spec.volumeAttributesClassName", STORAGE, "VolumeAttributesClass", Need.NOTHING),
        Row("spec.azureFile.secretName", "", "Secret", namespace="secretNamespace"),
        Row("spec.glusterfs.endpoints", "", "Endpoints", namespace="endpointsNamespace"),
        *(Row(f"spec.csi.{each}SecretRef.name", "", "Secret", namespace="namespace") for each in _CSI_SECRETS),
        *(
            Row(f"spec.csi.{each}SecretRef.name", "", "Secret", Need.NOTHING, namespace="namespace")
            for each in _CSI_EXPANSION
        ),
        *(Row(f"spec.{each}.secretRef.name", "", "Secret", namespace="namespace") for each in _VOLUME_SECRETS),
    ),
    ("apps", "StatefulSet"): (
        Row("spec.serviceName", "", "Service"),
        *_under("spec.volumeClaimTemplates[].spec", _CLAIM_SPEC),
    ),
    ("networking.k8s.io", "Ingress"): (
        Row("spec.ingressClassName", "networking.k8s.io", "IngressClass"),
        Row("spec.tls[].secretName", "", "Secret"),
        *(Row(f"{at}.service.name", "", "Service") for at in _BACKENDS),
    ),
    (RESOURCE, "ResourceClaim"): _devices("spec"),
    (RESOURCE, "ResourceClaimTemplate"): _devices("spec.spec"),
    (ADMISSION, "ValidatingAdmissionPolicyBinding"): (Row("spec.policyName", ADMISSION, "ValidatingAdmissionPolicy"),),
    (ADMISSION, "MutatingAdmissionPolicyBinding"): (Row("spec.policyName", ADMISSION, "MutatingAdmissionPolicy"),),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): (
        Row(
            "spec.priorityLevelConfiguration.name",
            "flowcontrol.apiserver.k8s.io",
            "PriorityLevelConfiguration",
        ),
        Row("spec.rules[].subjects[].serviceAccount.name", "", "ServiceAccount", Need.NOTHING, "namespace"),
    ),
}

TYPED_AT: dict[Kind, tuple[Typed, ...]] = {
    ("", "PersistentVolumeClaim"): tuple(Typed(f"spec.{each}", Need.ANYWHERE, wide=False) for each in _DATA_SOURCES),
    # The claims of its pods are restored themselves: only a new pod's claim needs the source.
    ("apps", "StatefulSet"): tuple(
        Typed(f"spec.volumeClaimTemplates[].spec.{each}", Need.NOTHING, wide=False) for each in _DATA_SOURCES
    ),
    ("autoscaling", "HorizontalPodAutoscaler"): (
        Typed("spec.scaleTargetRef", Need.NOTHING),
        Typed("spec.metrics[].object.describedObject", Need.NOTHING),
        Typed("spec.metrics[].object.target", Need.NOTHING),  # v2beta1
    ),
    ("autoscaling.k8s.io", "VerticalPodAutoscaler"): (Typed("spec.targetRef", Need.NOTHING),),
    ("networking.k8s.io", "Ingress"): tuple(Typed(f"{at}.resource") for at in _BACKENDS),
    ("networking.k8s.io", "IngressClass"): (Typed("spec.parameters"),),
    (RBAC, "RoleBinding"): (Typed("roleRef"), Typed("subjects[]", Need.NOTHING)),
    (RBAC, "ClusterRoleBinding"): (Typed("roleRef"), Typed("subjects[]", Need.NOTHING)),
}
"""(group, kind) → its fields that say the kind, too."""

SERVICE_AT: dict[Kind, str] = {
    (ADMISSION, "ValidatingWebhookConfiguration"): "webhooks[].clientConfig.service",
    (ADMISSION, "MutatingWebhookConfiguration"): "webhooks[].clientConfig.service",
    ("apiregistration.k8s.io", "APIService"): "spec.service",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "spec.conversion.webhook.clientConfig.service",
}
"""Fields that hold {namespace, name} of a Service."""

STARTS = frozenset({("", "ServiceAccount"), ("", "ConfigMap"), ("", "Secret"), ("", "PersistentVolumeClaim")})
"""What a pod cannot start without if it names it (kubernetes.io: Pod, volumes and service accounts)."""
