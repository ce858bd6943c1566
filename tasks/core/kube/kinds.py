"""The built-in kinds: names, scope, the controllers that re-create them, and which API groups are built in.

Source: the API reference (kubernetes.io/docs/reference/kubernetes-api), v1.36. Nothing is guessed about custom
resources: only their CRD says whether they have a namespace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE = ("", "Namespace")
TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105 - the name of a Secret type, not a secret


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """What discovery says about a kind that kube-apiserver serves itself."""

    plural: str
    """The resource name in URLs."""
    namespaced: bool = True
    short_names: tuple[str, ...] = ()


BUILT_IN: Mapping[tuple[str, str], BuiltIn] = {
    ("", "ConfigMap"): BuiltIn("configmaps", short_names=("cm",)),
    ("", "Endpoints"): BuiltIn("endpoints", short_names=("ep",)),
    ("", "LimitRange"): BuiltIn("limitranges", short_names=("limits",)),
    ("", "Namespace"): BuiltIn("namespaces", namespaced=False, short_names=("ns",)),
    ("", "Node"): BuiltIn("nodes", namespaced=False, short_names=("no",)),
    ("", "PersistentVolume"): BuiltIn("persistentvolumes", namespaced=False, short_names=("pv",)),
    ("", "PersistentVolumeClaim"): BuiltIn("persistentvolumeclaims", short_names=("pvc",)),
    ("", "Pod"): BuiltIn("pods", short_names=("po",)),
    ("", "PodTemplate"): BuiltIn("podtemplates"),
    ("", "ReplicationController"): BuiltIn("replicationcontrollers", short_names=("rc",)),
    ("", "ResourceQuota"): BuiltIn("resourcequotas", short_names=("quota",)),
    ("", "Secret"): BuiltIn("secrets"),
    ("", "Service"): BuiltIn("services", short_names=("svc",)),
    ("", "ServiceAccount"): BuiltIn("serviceaccounts", short_names=("sa",)),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"): BuiltIn("mutatingadmissionpolicies", namespaced=False),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"): BuiltIn(
        "mutatingadmissionpolicybindings", namespaced=False
    ),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): BuiltIn(
        "mutatingwebhookconfigurations", namespaced=False
    ),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): BuiltIn(
        "validatingadmissionpolicies", namespaced=False
    ),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): BuiltIn(
        "validatingadmissionpolicybindings", namespaced=False
    ),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): BuiltIn(
        "validatingwebhookconfigurations", namespaced=False
    ),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): BuiltIn(
        "customresourcedefinitions", namespaced=False, short_names=("crd", "crds")
    ),
    ("apiregistration.k8s.io", "APIService"): BuiltIn("apiservices", namespaced=False),
    ("apps", "ControllerRevision"): BuiltIn("controllerrevisions"),
    ("apps", "DaemonSet"): BuiltIn("daemonsets", short_names=("ds",)),
    ("apps", "Deployment"): BuiltIn("deployments", short_names=("deploy",)),
    ("apps", "ReplicaSet"): BuiltIn("replicasets", short_names=("rs",)),
    ("apps", "StatefulSet"): BuiltIn("statefulsets", short_names=("sts",)),
    ("autoscaling", "HorizontalPodAutoscaler"): BuiltIn("horizontalpodautoscalers", short_names=("hpa",)),
    ("batch", "CronJob"): BuiltIn("cronjobs", short_names=("cj",)),
    ("batch", "Job"): BuiltIn("jobs"),
    ("coordination.k8s.io", "Lease"): BuiltIn("leases"),
    ("discovery.k8s.io", "EndpointSlice"): BuiltIn("endpointslices"),
    ("networking.k8s.io", "Ingress"): BuiltIn("ingresses", short_names=("ing",)),
    ("networking.k8s.io", "IngressClass"): BuiltIn("ingressclasses", namespaced=False),
    ("networking.k8s.io", "NetworkPolicy"): BuiltIn("networkpolicies", short_names=("netpol",)),
    ("node.k8s.io", "RuntimeClass"): BuiltIn("runtimeclasses", namespaced=False),
    ("policy", "PodDisruptionBudget"): BuiltIn("poddisruptionbudgets", short_names=("pdb",)),
    ("rbac.authorization.k8s.io", "ClusterRole"): BuiltIn("clusterroles", namespaced=False),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): BuiltIn("clusterrolebindings", namespaced=False),
    ("rbac.authorization.k8s.io", "Role"): BuiltIn("roles"),
    ("rbac.authorization.k8s.io", "RoleBinding"): BuiltIn("rolebindings"),
    ("resource.k8s.io", "DeviceClass"): BuiltIn("deviceclasses", namespaced=False),
    ("resource.k8s.io", "ResourceClaim"): BuiltIn("resourceclaims"),
    ("resource.k8s.io", "ResourceClaimTemplate"): BuiltIn("resourceclaimtemplates"),
    ("scheduling.k8s.io", "PriorityClass"): BuiltIn("priorityclasses", namespaced=False, short_names=("pc",)),
    ("storage.k8s.io", "CSIDriver"): BuiltIn("csidrivers", namespaced=False),
    ("storage.k8s.io", "CSINode"): BuiltIn("csinodes", namespaced=False),
    ("storage.k8s.io", "CSIStorageCapacity"): BuiltIn("csistoragecapacities"),
    ("storage.k8s.io", "StorageClass"): BuiltIn("storageclasses", namespaced=False, short_names=("sc",)),
    ("storage.k8s.io", "VolumeAttachment"): BuiltIn("volumeattachments", namespaced=False),
    ("storage.k8s.io", "VolumeAttributesClass"): BuiltIn(
        "volumeattributesclasses", namespaced=False, short_names=("vac",)
    ),
}
"""(group, kind) → its names. No two of these kinds share a name."""

GROUP_OF_KIND: Mapping[str, str] = {kind: group for group, kind in BUILT_IN}
"""Kind → its group: the meaning of a kind without a group."""

CLUSTER_KINDS = frozenset(key for key, found in BUILT_IN.items() if not found.namespaced)
"""(group, kind) of the built-in kinds that are cluster-scoped."""

_GROUPS = frozenset(GROUP_OF_KIND.values()) | {
    "authentication.k8s.io",
    "authorization.k8s.io",
    "certificates.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "storagemigration.k8s.io",
}


def is_built_in(group: str) -> bool:
    """Return whether kube-apiserver, its aggregator and extension server included, serves a group itself."""
    return group in _GROUPS


def is_protected(group: str) -> bool:
    """Return whether a group is reserved for the Kubernetes project: built in, or of the CRDs of a subproject.

    The API server accepts a CRD of such a group only with an annotation that names its API review
    (kubernetes/enhancements pull 1111): `gateway.networking.k8s.io`, `snapshot.storage.k8s.io`.
    """
    return is_built_in(group) or group.endswith((".k8s.io", ".kubernetes.io"))


def plural_of(kind: str) -> str:
    """Return the resource name of a kind, `ingresses` for `Ingress`; for a custom kind, the likely one."""
    if kind in GROUP_OF_KIND:
        return BUILT_IN[GROUP_OF_KIND[kind], kind].plural
    word = kind.lower()
    if word.endswith(("s", "x")):
        return f"{word}es"
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"


def short_names_of(group: str, kind: str) -> tuple[str, ...]:
    """Return the short names of a built-in kind; () for any other kind."""
    found = BUILT_IN.get((group, kind))
    return found.short_names if found else ()


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
"""(group, kind) of an object → kinds of owners whose controllers re-create it."""
