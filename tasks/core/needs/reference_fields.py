"""Which fields of the built-in kinds name another object: the table of references.

A row is (path, target group, target kind); `[]` in a path means each entry of a list. The rows of a pod's spec are
written once, with the place where each kind has one. Source: the API reference (kubernetes.io/docs/reference), v1.36.
"""

from __future__ import annotations

Row = tuple[str, str, str]

_CONTAINER: tuple[Row, ...] = (
    ("envFrom[].configMapRef.name", "", "ConfigMap"),
    ("envFrom[].secretRef.name", "", "Secret"),
    ("env[].valueFrom.configMapKeyRef.name", "", "ConfigMap"),
    ("env[].valueFrom.secretKeyRef.name", "", "Secret"),
)

POD_SPEC: tuple[Row, ...] = (
    ("serviceAccountName", "", "ServiceAccount"),
    ("priorityClassName", "scheduling.k8s.io", "PriorityClass"),
    ("runtimeClassName", "node.k8s.io", "RuntimeClass"),
    ("imagePullSecrets[].name", "", "Secret"),
    ("volumes[].configMap.name", "", "ConfigMap"),
    ("volumes[].secret.secretName", "", "Secret"),
    ("volumes[].persistentVolumeClaim.claimName", "", "PersistentVolumeClaim"),
    ("volumes[].projected.sources[].configMap.name", "", "ConfigMap"),
    ("volumes[].projected.sources[].secret.name", "", "Secret"),
    ("volumes[].csi.nodePublishSecretRef.name", "", "Secret"),
    ("volumes[].ephemeral.volumeClaimTemplate.spec.storageClassName", "storage.k8s.io", "StorageClass"),
    ("resourceClaims[].resourceClaimName", "resource.k8s.io", "ResourceClaim"),
    ("resourceClaims[].resourceClaimTemplateName", "resource.k8s.io", "ResourceClaimTemplate"),
    *(
        (f"{where}[].{path}", group, kind)
        for where in ("initContainers", "containers")
        for path, group, kind in _CONTAINER
    ),
)

POD_SPEC_AT: dict[tuple[str, str], str] = {
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


RBAC = "rbac.authorization.k8s.io"

CLUSTER_SCOPED = frozenset(
    {
        ("", "PersistentVolume"),
        ("", "Namespace"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("node.k8s.io", "RuntimeClass"),
        ("storage.k8s.io", "StorageClass"),
        ("networking.k8s.io", "IngressClass"),
        (RBAC, "ClusterRole"),
        (RBAC, "ClusterRoleBinding"),
    }
)
"""Cluster-scoped targets, which a backup includes and a restore requires if they are named."""

_BACKENDS = ("spec.defaultBackend", "spec.rules[].http.paths[].backend")

TABLE: dict[tuple[str, str], tuple[Row, ...]] = {
    ("", "ServiceAccount"): (("imagePullSecrets[].name", "", "Secret"),),
    ("", "PersistentVolumeClaim"): (
        ("spec.storageClassName", "storage.k8s.io", "StorageClass"),
        ("spec.volumeName", "", "PersistentVolume"),
    ),
    ("", "PersistentVolume"): (("spec.storageClassName", "storage.k8s.io", "StorageClass"),),
    ("apps", "StatefulSet"): (
        ("spec.serviceName", "", "Service"),
        ("spec.volumeClaimTemplates[].spec.storageClassName", "storage.k8s.io", "StorageClass"),
    ),
    ("networking.k8s.io", "Ingress"): (
        ("spec.ingressClassName", "networking.k8s.io", "IngressClass"),
        ("spec.tls[].secretName", "", "Secret"),
        *((f"{at}.service.name", "", "Service") for at in _BACKENDS),
    ),
}

TYPED_AT: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "PersistentVolumeClaim"): ("spec.dataSource", "spec.dataSourceRef"),
    ("autoscaling", "HorizontalPodAutoscaler"): ("spec.scaleTargetRef",),
    ("autoscaling.k8s.io", "VerticalPodAutoscaler"): ("spec.targetRef",),
    ("networking.k8s.io", "Ingress"): tuple(f"{at}.resource" for at in _BACKENDS),
    ("networking.k8s.io", "IngressClass"): ("spec.parameters",),
    (RBAC, "RoleBinding"): ("roleRef", "subjects[]"),
    (RBAC, "ClusterRoleBinding"): ("roleRef", "subjects[]"),
}
"""Fields that hold {apiVersion or apiGroup, kind, name[, namespace]}."""

SERVICE_AT: dict[tuple[str, str], str] = {
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): "webhooks[].clientConfig.service",
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): "webhooks[].clientConfig.service",
    ("apiregistration.k8s.io", "APIService"): "spec.service",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "spec.conversion.webhook.clientConfig.service",
}
"""Fields that hold {namespace, name} of a Service."""

STARTS = frozenset({("", "ServiceAccount"), ("", "ConfigMap"), ("", "Secret"), ("", "PersistentVolumeClaim")})
"""What a pod cannot start without if it names it (kubernetes.io: Pod, volumes and service accounts)."""
