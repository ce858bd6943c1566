"""What a pod's spec names, and where each kind keeps one: rows of references.py, written once for all of them.

Source: the API reference (kubernetes.io/docs/reference), v1.36.
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
"""Where each kind keeps a pod's spec."""
