"""Which objects the fields of an object name: the table of typed references of the built-in kinds.

A row is (path, target group, target kind); `[]` in a path means each entry of a list. The rows of a pod's spec are
written once, with the place where each kind has one. Custom resources are left to custom_references.py. From the table
follows, too, which kinds can name objects of a given kind: where to look for users of a cluster-scoped object. Source:
the API reference (kubernetes.io/docs/reference), v1.36.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import Object, get, group_of, values
from kubeferry.tasks.core.kube.objects import Ref, annotations_of, labels_of
from kubeferry.tasks.core.needs.custom_references import custom_references

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator


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


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to another object: `path` is the field that names `target`."""

    target: Ref
    path: str
    vital: bool = False
    """Whether a controller deletes the object if `target` does not exist."""
    sure: bool = True
    """False: found by its shape in a custom resource (custom_references.py), so it may not be a reference at all."""


def references(obj: Object) -> Iterator[Reference]:
    """Yield what the fields of `obj` name, whether it exists or not; ownerReferences are not included."""
    kind = (group_of(obj["apiVersion"]), obj["kind"])
    namespace = obj["metadata"].get("namespace", "")
    for path, group, target in _rows(kind):
        for name in values(obj, path):
            if isinstance(name, str) and name:
                yield Reference(_target(group, target, namespace, name), path)
    for path in TYPED_AT.get(kind, ()):
        yield from (Reference(_typed(found, namespace), path) for found in values(obj, path) if _is_typed(found))
    for found in values(obj, SERVICE_AT[kind]) if kind in SERVICE_AT else ():
        service, of = get(found, "name"), get(found, "namespace")
        if isinstance(service, str) and isinstance(of, str):
            yield Reference(Ref("", "Service", of, service), SERVICE_AT[kind])
    if kind in _BY_MARK:
        yield from _BY_MARK[kind](obj, namespace)
    if kind not in TYPED_AT:
        yield from (Reference(*found, sure=False) for found in custom_references(obj))


def starts(obj: Object, need: Reference) -> bool:
    """Return whether pods of `obj` cannot start without what it names, or are not even created (admission)."""
    at = POD_SPEC_AT.get((group_of(obj["apiVersion"]), obj["kind"]))
    return at is not None and need.path.startswith(f"{at}.") and (need.target.group, need.target.kind) in STARTS


@lru_cache(maxsize=512)
def _rows(kind: tuple[str, str]) -> tuple[Row, ...]:
    at = POD_SPEC_AT.get(kind)
    pod = tuple((f"{at}.{path}", group, target) for path, group, target in POD_SPEC) if at else ()
    return (*pod, *TABLE.get(kind, ()))


def _is_typed(found: Any) -> bool:
    return isinstance(found, dict) and isinstance(found.get("kind"), str) and isinstance(found.get("name"), str)


def _typed(found: dict[str, Any], namespace: str) -> Ref:
    group = str(found.get("apiGroup") or group_of(str(found.get("apiVersion") or "")))
    return _target(group, found["kind"], str(found.get("namespace") or namespace), found["name"])


def _target(group: str, kind: str, namespace: str, name: str) -> Ref:
    return Ref(group, kind, "" if (group, kind) in CLUSTER_SCOPED else namespace, name)


def _secret(obj: Object, namespace: str) -> Iterator[Reference]:
    # The token controller deletes a token Secret whose ServiceAccount does not exist.
    account = annotations_of(obj).get("kubernetes.io/service-account.name")
    if obj.get("type") == "kubernetes.io/service-account-token" and account:
        yield Reference(Ref("", "ServiceAccount", namespace, account), "metadata.annotations", vital=True)


def _endpoints(obj: Object, namespace: str) -> Iterator[Reference]:
    yield Reference(Ref("", "Service", namespace, obj["metadata"]["name"]), "metadata.name")


def _endpoint_slice(obj: Object, namespace: str) -> Iterator[Reference]:
    service = labels_of(obj).get("kubernetes.io/service-name")
    if service:
        yield Reference(Ref("", "Service", namespace, service), "metadata.labels")


_BY_MARK: dict[tuple[str, str], Callable[[Object, str], Iterator[Reference]]] = {
    ("", "Secret"): _secret,
    ("", "Endpoints"): _endpoints,
    ("discovery.k8s.io", "EndpointSlice"): _endpoint_slice,
}
"""Kinds that refer to another object by their name, a label or an annotation."""


def kinds_naming(targets: Collection[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Return the (group, kind) of built-in kinds whose fields may name an object of `targets`.

    Kinds with a typed field are always among them: the field may name any kind. So may custom resources, which are not.
    """
    if not targets:
        return frozenset()
    pods = POD_SPEC_AT if any((group, kind) in targets for _, group, kind in POD_SPEC) else ()
    rows = (of for of, rows in TABLE.items() if any((group, kind) in targets for _, group, kind in rows))
    return frozenset({*pods, *rows, *TYPED_AT})
