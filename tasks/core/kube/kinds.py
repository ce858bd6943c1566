"""What a bare kind name means: Kubernetes' own kinds with their groups, and which of them have no namespace.

Source: the API reference (kubernetes.io/docs/reference/kubernetes-api), v1.36. It refuses to guess about kinds that
others define: their scope is known only from their CRD.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105 - the name of a Secret type, not a secret

_NAMESPACED: Mapping[str, tuple[str, ...]] = {
    "": (
        "ConfigMap",
        "Endpoints",
        "LimitRange",
        "PersistentVolumeClaim",
        "Pod",
        "PodTemplate",
        "ReplicationController",
        "ResourceQuota",
        "Secret",
        "Service",
        "ServiceAccount",
    ),
    "apps": ("ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"),
    "autoscaling": ("HorizontalPodAutoscaler",),
    "batch": ("CronJob", "Job"),
    "coordination.k8s.io": ("Lease",),
    "discovery.k8s.io": ("EndpointSlice",),
    "networking.k8s.io": ("Ingress", "NetworkPolicy"),
    "policy": ("PodDisruptionBudget",),
    "rbac.authorization.k8s.io": ("Role", "RoleBinding"),
    "resource.k8s.io": ("ResourceClaim", "ResourceClaimTemplate"),
    "storage.k8s.io": ("CSIStorageCapacity",),
}

_CLUSTER: Mapping[str, tuple[str, ...]] = {
    "": ("Namespace", "Node", "PersistentVolume"),
    "admissionregistration.k8s.io": (
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    ),
    "apiextensions.k8s.io": ("CustomResourceDefinition",),
    "apiregistration.k8s.io": ("APIService",),
    "networking.k8s.io": ("IngressClass",),
    "node.k8s.io": ("RuntimeClass",),
    "rbac.authorization.k8s.io": ("ClusterRole", "ClusterRoleBinding"),
    "resource.k8s.io": ("DeviceClass",),
    "scheduling.k8s.io": ("PriorityClass",),
    "storage.k8s.io": ("CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"),
}

GROUP_OF_KIND: Mapping[str, str] = {
    kind: group for table in (_NAMESPACED, _CLUSTER) for group, kinds in table.items() for kind in kinds
}
"""Kind → its group, for the kinds that Kubernetes itself defines; no two of its groups in use share a kind."""

CLUSTER_KINDS = frozenset((group, kind) for group, kinds in _CLUSTER.items() for kind in kinds)
"""(group, kind) of Kubernetes' own kinds that have no namespace."""


def is_built_in(group: str) -> bool:
    """Return whether a group is Kubernetes' own; `k8s.io` groups of projects beside it (`cluster.x-k8s.io`) are not."""
    return group in GROUPS


GROUPS = frozenset(GROUP_OF_KIND.values()) | {
    "authentication.k8s.io",
    "authorization.k8s.io",
    "certificates.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "storagemigration.k8s.io",
}
"""The API groups that kube-apiserver, with its aggregator and extension server, serves itself."""


SHORT_NAMES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", "ConfigMap"): ("cm",),
    ("", "Endpoints"): ("ep",),
    ("", "LimitRange"): ("limits",),
    ("", "Namespace"): ("ns",),
    ("", "Node"): ("no",),
    ("", "PersistentVolume"): ("pv",),
    ("", "PersistentVolumeClaim"): ("pvc",),
    ("", "Pod"): ("po",),
    ("", "ReplicationController"): ("rc",),
    ("", "ResourceQuota"): ("quota",),
    ("", "Service"): ("svc",),
    ("", "ServiceAccount"): ("sa",),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): ("crd", "crds"),
    ("apps", "DaemonSet"): ("ds",),
    ("apps", "Deployment"): ("deploy",),
    ("apps", "ReplicaSet"): ("rs",),
    ("apps", "StatefulSet"): ("sts",),
    ("autoscaling", "HorizontalPodAutoscaler"): ("hpa",),
    ("batch", "CronJob"): ("cj",),
    ("networking.k8s.io", "Ingress"): ("ing",),
    ("networking.k8s.io", "NetworkPolicy"): ("netpol",),
    ("policy", "PodDisruptionBudget"): ("pdb",),
    ("scheduling.k8s.io", "PriorityClass"): ("pc",),
    ("storage.k8s.io", "StorageClass"): ("sc",),
    ("storage.k8s.io", "VolumeAttributesClass"): ("vac",),
}
"""(group, kind) → the short names that an API server's discovery gives, for where there is none: an archive alone."""


def plural_of(kind: str) -> str:
    """Return the name in URLs of one of Kubernetes' own kinds: `Ingress` → `ingresses`."""
    word = kind.lower()
    if word == "endpoints":
        return word
    if word.endswith(("s", "x")):
        return f"{word}es"
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"


REBUILT: dict[tuple[str, str], frozenset[tuple[str, str]]] = {
    ("apps", "ReplicaSet"): frozenset({("apps", "Deployment")}),
    ("apps", "ControllerRevision"): frozenset({("apps", "StatefulSet"), ("apps", "DaemonSet")}),
    ("batch", "Job"): frozenset({("batch", "CronJob")}),
    ("", "Pod"): frozenset(
        {
            ("apps", "ReplicaSet"),
            ("apps", "StatefulSet"),
            ("apps", "DaemonSet"),
            ("batch", "Job"),
            ("", "ReplicationController"),
        }
    ),
    ("discovery.k8s.io", "EndpointSlice"): frozenset({("", "Service"), ("", "Endpoints")}),
}
"""(group, kind) of an object → kinds of controllers that make it again by themselves."""


NAMESPACE = ("", "Namespace")
