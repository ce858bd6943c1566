"""The differences that a restored object must or may have, one row a reason: kinds, path, test, reason.

Wherever the right new value can be known (the mapped namespace, the mapped uid) the test insists on it, so that a wrong
rewrite stays unexplained. What stripping drops and the target does not write again is here as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kubeferry.tasks.core.compare import expected as moves

if TYPE_CHECKING:
    from kubeferry.tasks.core.compare.expected import Test

GIVEN = "given by the cluster"
MAPPED = "follows the new name of its namespace"
ALLOCATED = "allocated by the target cluster"
COUNTED = "counted anew by its controller"
COMPUTED = "computed by the target's controller"
PROVISIONED = "provisioned anew"
ISSUED = "issued by the target cluster"
FORGOTTEN = "dropped, as it named an object of the old cluster"
INJECTED = "injected by another controller"

METADATA_NAME = '["kubernetes.io/metadata.name"]'
JOB_UID = ("controller-uid", '["batch.kubernetes.io/controller-uid"]')
SELECTORS = (
    (f"matchLabels{METADATA_NAME}", moves.mapped_namespace),
    ("matchExpressions[*].values[*]", moves.selected_namespace),
)
WEBHOOKS = (
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io "
    "MutatingWebhookConfiguration.admissionregistration.k8s.io"
)
CRD, API = "CustomResourceDefinition.apiextensions.k8s.io", "APIService.apiregistration.k8s.io"
POLICY = "NetworkPolicy.networking.k8s.io"
BINDINGS = "RoleBinding.rbac.authorization.k8s.io ClusterRoleBinding.rbac.authorization.k8s.io"


class Row(NamedTuple):
    """One difference that must exist, or may."""

    kinds: str
    """Kinds as `Kind` or `Kind.group`, apart by spaces; `*` is every kind."""
    path: str
    """A path; `[*]` is any index, `**` at the end is the field itself and all below it."""
    test: Test
    """Whether the values are those that the reason leads to."""
    reason: str
    """Why the field differs, as a person reads it."""


def _annotation(kinds: str, keys: tuple[str, ...], test: Test, reason: str) -> list[Row]:
    return [Row(kinds, f'metadata.annotations["{key}"]', test, reason) for key in keys]


EVERY_KIND = [
    Row("*", "metadata.uid", moves.fresh_uid, GIVEN),
    Row("*", "metadata.resourceVersion", moves.anything, GIVEN),
    Row("*", "metadata.creationTimestamp", moves.anything, GIVEN),
    Row("*", "metadata.generation", moves.anything, GIVEN),
    Row("*", "metadata.managedFields**", moves.anything, GIVEN),
    Row("*", "metadata.selfLink", moves.anything, GIVEN),
    Row("*", "metadata.generateName", moves.dropped, "dropped, as the name is kept and not generated again"),
    Row("*", "metadata.finalizers**", moves.dropped_finalizer, "dropped, as what would clear it may not be there"),
    Row("*", "metadata.namespace", moves.mapped_namespace, MAPPED),
    Row("*", "metadata.ownerReferences", moves.bundled, "owned by the bundle of the restore"),
    Row("*", "metadata.ownerReferences[*].uid", moves.mapped_uid, "re-linked to the new owner"),
    Row("*", "status**", moves.anything, "observed anew by its controller"),
]

TRAFFIC = [
    Row("Service", "spec.clusterIP", moves.not_headless, ALLOCATED),
    Row("Service", "spec.clusterIPs[*]", moves.not_headless, ALLOCATED),
    Row("Service", "spec.ports[*].nodePort", moves.both_told, ALLOCATED),
    *(
        Row("Endpoints EndpointSlice.discovery.k8s.io", f"{address}.targetRef.{key}", moves.dropped, FORGOTTEN)
        for address in ("subsets[*].addresses[*]", "subsets[*].notReadyAddresses[*]", "endpoints[*]")
        for key in ("uid", "resourceVersion")
    ),
    Row("Service", "spec.healthCheckNodePort", moves.both_told, ALLOCATED),
    Row("Endpoints", "subsets**", moves.filled_by_controller, COMPUTED),
    *_annotation("Endpoints", ("endpoints.kubernetes.io/last-change-trigger-time",), moves.anything, COMPUTED),
    *(
        Row(POLICY, f"spec.{peers}.namespaceSelector.{values}", test, MAPPED)
        for peers in ("ingress[*].from[*]", "egress[*].to[*]")
        for values, test in SELECTORS
    ),
]

WORKLOADS = [
    *_annotation(
        "Deployment.apps ReplicaSet.apps",
        tuple(
            f"deployment.kubernetes.io/{key}"
            for key in ("revision", "revision-history", "desired-replicas", "max-replicas")
        ),
        moves.anything,
        COUNTED,
    ),
    *_annotation("DaemonSet.apps", ("deprecated.daemonset.template.generation",), moves.both_told, COUNTED),
    *(
        Row("Job.batch", f"{place}{key if key.startswith('[') else f'.{key}'}", moves.own_uid, COMPUTED)
        for place in ("metadata.labels", "spec.selector.matchLabels", "spec.template.metadata.labels")
        for key in JOB_UID
    ),
    *(
        Row("ReplicaSet.apps Pod", f"{place}.pod-template-hash", moves.both_told, COMPUTED)
        for place in ("metadata.labels", "spec.selector.matchLabels", "spec.template.metadata.labels")
    ),
    Row("Pod ControllerRevision.apps", "metadata.labels.controller-revision-hash", moves.both_told, COMPUTED),
    Row("Pod", "spec.nodeName", moves.anything, "scheduled anew"),
    # Written by the binding's admission (PodTopologyLabels, Kubernetes 1.35).
    Row("Pod", 'metadata.labels["topology.kubernetes.io/region"]', moves.anything, "copied from its node"),
    Row("Pod", 'metadata.labels["topology.kubernetes.io/zone"]', moves.anything, "copied from its node"),
    Row("Pod", "spec.volumes[*].name", moves.token_volume, GIVEN),
    Row("Pod", "spec.containers[*].volumeMounts[*].name", moves.token_volume, GIVEN),
    Row("Pod", "spec.initContainers[*].volumeMounts[*].name", moves.token_volume, GIVEN),
]

STORAGE = [
    Row("PersistentVolumeClaim", "spec.volumeName", moves.anything, PROVISIONED),
    *_annotation(
        "PersistentVolumeClaim",
        (
            "pv.kubernetes.io/bind-completed",
            "pv.kubernetes.io/bound-by-controller",
            "volume.beta.kubernetes.io/storage-provisioner",
            "volume.kubernetes.io/storage-provisioner",
            "volume.kubernetes.io/storage-resizer",
            "volume.kubernetes.io/selected-node",
            "pv.kubernetes.io/migrated-to",
        ),
        moves.anything,
        PROVISIONED,
    ),
    Row("PersistentVolume", "spec.claimRef.namespace", moves.mapped_namespace, MAPPED),
    Row("PersistentVolume", "spec.claimRef.uid", moves.mapped_uid, "re-linked to the new claim"),
    Row("PersistentVolume", "spec.claimRef.resourceVersion", moves.anything, GIVEN),
]

IDENTITY = [
    Row("Namespace", "metadata.name", moves.mapped_namespace, MAPPED),
    Row("Namespace", f"metadata.labels{METADATA_NAME}", moves.mapped_namespace, MAPPED),
    Row("Secret", "data.token", moves.of_token, ISSUED),
    Row("Secret", 'data["ca.crt"]', moves.of_token, ISSUED),
    Row("Secret", "data.namespace", moves.token_namespace, MAPPED),
    *(
        Row("Secret", f'metadata.labels["kubernetes.io/legacy-token-{key}"]', moves.token_used, GIVEN)
        for key in ("last-used", "invalid-since")
    ),
    *_annotation("Secret", ("kubernetes.io/service-account.uid",), moves.fresh_uid, "re-linked to the new account"),
    Row("ConfigMap", 'data["ca.crt"]', moves.root_certificate, "each cluster's own root certificate"),
    Row("ServiceAccount", "secrets**", moves.generated_secrets, "generated Secrets are not carried"),
    Row(BINDINGS, "subjects[*].namespace", moves.mapped_namespace, MAPPED),
    Row(BINDINGS, "subjects[*].name", moves.service_account_subject, MAPPED),
    Row(BINDINGS.split()[1], "metadata.name", moves.named_for_target, "a copy of its own for the mapped namespace"),
    Row("ClusterRole.rbac.authorization.k8s.io", "rules**", moves.aggregated, "gathered anew from other roles"),
]

EXTENSIONS = [
    *(Row(WEBHOOKS, f"webhooks[*].namespaceSelector.{values}", test, MAPPED) for values, test in SELECTORS),
    *(
        row
        for kinds, client in (
            (WEBHOOKS, "webhooks[*].clientConfig"),
            (CRD, "spec.conversion.webhook.clientConfig"),
            (API, "spec"),
        )
        for row in (
            Row(kinds, f"{client}.service.namespace", moves.mapped_namespace, MAPPED),
            Row(kinds, f"{client}.caBundle", moves.injected, INJECTED),
        )
    ),
]

ROWS = [*EVERY_KIND, *TRAFFIC, *WORKLOADS, *STORAGE, *IDENTITY, *EXTENSIONS]
"""All rows; the first that fits explains."""
