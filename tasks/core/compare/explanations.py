"""The differences that a restored object must or may have, one row for each reason: kinds, path, test, reason.

If the expected new value is known (the mapped namespace, the mapped uid), the test requires it, so that a wrong rewrite
stays unexplained. The rows include what stripping drops and the target does not write again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kubeferry.tasks.core.compare import expected

if TYPE_CHECKING:
    from kubeferry.tasks.core.compare.expected import Test

GIVEN = "assigned by the cluster"
MAPPED = "follows the new name of its namespace"
ALLOCATED = "allocated by the target cluster"
COUNTED = "counted again by its controller"
COMPUTED = "computed by the target's controller"
PROVISIONED = "provisioned by the target cluster"
ISSUED = "issued by the target cluster"
FORGOTTEN = "dropped, because it referred to an object of the source cluster"
INJECTED = "injected by another controller"

METADATA_NAME = '["kubernetes.io/metadata.name"]'
JOB_UID = ("controller-uid", '["batch.kubernetes.io/controller-uid"]')
SELECTORS = (
    (f"matchLabels{METADATA_NAME}", expected.mapped_namespace),
    ("matchExpressions[*].values[*]", expected.selected_namespace),
)
WEBHOOKS = (
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io "
    "MutatingWebhookConfiguration.admissionregistration.k8s.io"
)
CRD, API = "CustomResourceDefinition.apiextensions.k8s.io", "APIService.apiregistration.k8s.io"
POLICY = "NetworkPolicy.networking.k8s.io"
BINDINGS = "RoleBinding.rbac.authorization.k8s.io ClusterRoleBinding.rbac.authorization.k8s.io"


class Row(NamedTuple):
    """One difference that must or may exist."""

    kinds: str
    """Kinds as `Kind` or `Kind.group`, separated by spaces; `*` is every kind."""
    path: str
    """A path; `[*]` is any index, `**` at the end is the field itself and everything below it."""
    test: Test
    """Whether the values match the reason."""
    reason: str
    """Why the field differs, as text for people."""


def _annotation(kinds: str, keys: tuple[str, ...], test: Test, reason: str) -> list[Row]:
    return [Row(kinds, f'metadata.annotations["{key}"]', test, reason) for key in keys]


EVERY_KIND = [
    Row("*", "metadata.uid", expected.fresh_uid, GIVEN),
    Row("*", "metadata.resourceVersion", expected.anything, GIVEN),
    Row("*", "metadata.creationTimestamp", expected.anything, GIVEN),
    Row("*", "metadata.generation", expected.anything, GIVEN),
    Row("*", "metadata.managedFields**", expected.anything, GIVEN),
    Row("*", "metadata.selfLink", expected.anything, GIVEN),
    Row("*", "metadata.generateName", expected.dropped, "dropped, because the name is kept and not generated again"),
    Row("*", "metadata.finalizers**", expected.dropped_finalizer, "dropped, as the target may lack its controller"),
    Row("*", "metadata.namespace", expected.mapped_namespace, MAPPED),
    Row("*", "metadata.ownerReferences", expected.bundled, "owned by the bundle of the restore"),
    Row("*", "metadata.ownerReferences[*].uid", expected.mapped_uid, "re-linked to the new owner"),
    Row("*", "status**", expected.anything, "observed again by its controller"),
]

TRAFFIC = [
    Row("Service", "spec.clusterIP", expected.not_headless, ALLOCATED),
    Row("Service", "spec.clusterIPs[*]", expected.not_headless, ALLOCATED),
    Row("Service", "spec.ports[*].nodePort", expected.both_set, ALLOCATED),
    Row("Service", "spec.ipFamilies[*]", expected.not_headless, "the families that the target has"),
    *(
        Row("Endpoints EndpointSlice.discovery.k8s.io", f"{address}.targetRef.{key}", expected.dropped, FORGOTTEN)
        for address in ("subsets[*].addresses[*]", "subsets[*].notReadyAddresses[*]", "endpoints[*]")
        for key in ("uid", "resourceVersion")
    ),
    Row("Service", "spec.healthCheckNodePort", expected.both_set, ALLOCATED),
    Row("Endpoints", "subsets**", expected.filled_by_controller, COMPUTED),
    *_annotation("Endpoints", ("endpoints.kubernetes.io/last-change-trigger-time",), expected.anything, COMPUTED),
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
        expected.anything,
        COUNTED,
    ),
    *_annotation("DaemonSet.apps", ("deprecated.daemonset.template.generation",), expected.both_set, COUNTED),
    *(
        Row("Job.batch", f"{place}{key if key.startswith('[') else f'.{key}'}", expected.own_uid, COMPUTED)
        for place in ("metadata.labels", "spec.selector.matchLabels", "spec.template.metadata.labels")
        for key in JOB_UID
    ),
    *(
        Row("ReplicaSet.apps Pod", f"{place}.pod-template-hash", expected.both_set, COMPUTED)
        for place in ("metadata.labels", "spec.selector.matchLabels", "spec.template.metadata.labels")
    ),
    Row("Pod ControllerRevision.apps", "metadata.labels.controller-revision-hash", expected.both_set, COMPUTED),
    Row("Pod", "spec.nodeName", expected.anything, "scheduled by the target cluster"),
    # Set at binding by the PodTopologyLabels admission plugin (Kubernetes 1.35).
    Row("Pod", 'metadata.labels["topology.kubernetes.io/region"]', expected.anything, "copied from its node"),
    Row("Pod", 'metadata.labels["topology.kubernetes.io/zone"]', expected.anything, "copied from its node"),
    Row("Pod", "spec.volumes[*].name", expected.token_volume, GIVEN),
    Row("Pod", "spec.containers[*].volumeMounts[*].name", expected.token_volume, GIVEN),
    Row("Pod", "spec.initContainers[*].volumeMounts[*].name", expected.token_volume, GIVEN),
]

STORAGE = [
    Row("PersistentVolumeClaim", "spec.volumeName", expected.anything, PROVISIONED),
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
        expected.anything,
        PROVISIONED,
    ),
    Row("PersistentVolumeClaim", "spec.dataSource**", expected.dropped, "the claim was filled from it before"),
    Row("PersistentVolumeClaim", "spec.dataSourceRef**", expected.dropped, "the claim was filled from it before"),
    Row("PersistentVolume", "spec.persistentVolumeReclaimPolicy", expected.retained, "a static volume is retained"),
    Row("PersistentVolume", "spec.claimRef.namespace", expected.mapped_namespace, MAPPED),
    Row("PersistentVolume", "spec.claimRef.uid", expected.mapped_uid, "re-linked to the new claim"),
    Row("PersistentVolume", "spec.claimRef.resourceVersion", expected.anything, GIVEN),
]

IDENTITY = [
    Row("Namespace", "metadata.name", expected.mapped_namespace, MAPPED),
    Row("Namespace", f"metadata.labels{METADATA_NAME}", expected.mapped_namespace, MAPPED),
    Row("Secret", "data.token", expected.of_token, ISSUED),
    Row("Secret", 'data["ca.crt"]', expected.of_token, ISSUED),
    Row("Secret", "data.namespace", expected.token_namespace, MAPPED),
    *(
        Row("Secret", f'metadata.labels["kubernetes.io/legacy-token-{key}"]', expected.token_used, GIVEN)
        for key in ("last-used", "invalid-since")
    ),
    *_annotation("Secret", ("kubernetes.io/service-account.uid",), expected.fresh_uid, "re-linked to the new account"),
    Row("ConfigMap", 'data["ca.crt"]', expected.root_certificate, "each cluster's own root certificate"),
    Row("ServiceAccount", "secrets**", expected.generated_secrets, "generated Secrets are not backed up"),
    Row(BINDINGS, "subjects[*].namespace", expected.mapped_namespace, MAPPED),
    Row(BINDINGS, "subjects[*].name", expected.service_account_subject, MAPPED),
    Row(BINDINGS.split()[1], "metadata.name", expected.named_for_target, "a copy for the mapped namespace"),
    Row("ClusterRole.rbac.authorization.k8s.io", "rules**", expected.aggregated, "aggregated again from other roles"),
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
            Row(kinds, f"{client}.service.namespace", expected.mapped_namespace, MAPPED),
            Row(kinds, f"{client}.caBundle", expected.injected, INJECTED),
        )
    ),
]

OTHER_DEFAULT = "the target has another default"
CLASSES = [
    Row("PriorityClass.scheduling.k8s.io", "globalDefault", expected.dropped, OTHER_DEFAULT),
    *_annotation(
        "StorageClass.storage.k8s.io",
        ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"),
        expected.dropped,
        OTHER_DEFAULT,
    ),
    *_annotation(
        "IngressClass.networking.k8s.io",
        ("ingressclass.kubernetes.io/is-default-class",),
        expected.dropped,
        OTHER_DEFAULT,
    ),
]

ROWS = [*EVERY_KIND, *TRAFFIC, *WORKLOADS, *STORAGE, *IDENTITY, *EXTENSIONS, *CLASSES]
"""All rows; the first match is the explanation."""
