"""Return an object without what has a meaning in its source cluster only, so that any cluster can create it.

Stripping follows tables, which list the steps for each kind; a kind without a row has only what all objects have. What
is not in the tables stays byte for byte. The input is not changed, empty maps and lists stay, and stripping is
idempotent. Nothing is guessed about an object that no API server wrote (case.py). formats/links.py keeps what
re-linking needs of the removed fields (uid, owners, addresses).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import EACH, Path, change, only, remove, without
from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED, as_kubectl
from kubeferry.tasks.core.kube.objects import type_of
from kubeferry.tasks.core.selection.policy import DEFAULTS, UNKNOWN_CLUSTER, ClusterContext, Policy
from kubeferry.tasks.core.transform.strip.case import Case
from kubeferry.tasks.core.transform.strip.extensions import (
    drop_aggregated_rules,
    drop_injected_authority,
    make_crd_valid,
)
from kubeferry.tasks.core.transform.strip.network import (
    forget_endpoint_targets,
    free_cluster_ips,
    free_families,
    free_health_check_port,
    free_node_ports,
)
from kubeferry.tasks.core.transform.strip.storage import (
    CLAIM_ANNOTATIONS,
    VOLUME_ANNOTATIONS,
    drop_annotations,
    drop_generated_secrets,
    drop_source,
    empty_token,
    forget_claim,
    free_namespace,
    unbind_claim,
)
from kubeferry.tasks.core.transform.strip.workloads import (
    clean_templates,
    drop_added_tolerations,
    drop_generated_selector,
    drop_pod_annotations,
    drop_pod_fields,
    drop_token_volume,
    pod_claims,
    pod_template,
    suspend,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.transform.strip.case import Step


REPLICA_SET_ANNOTATIONS: Mapping[str, str] = {
    "deployment.kubernetes.io/desired-replicas": "copied from the Deployment by its controller",
    "deployment.kubernetes.io/max-replicas": "copied from the Deployment by its controller",
}
"""Annotation of a ReplicaSet → why it is removed; its revision stays, for the rollback of a Deployment (--owned
keep)."""

DEPLOYMENT_ANNOTATIONS: Mapping[str, str] = {
    "deployment.kubernetes.io/revision": "the number of rollouts in the source cluster",
    "deployment.kubernetes.io/revision-history": "the number of rollouts in the source cluster",
    **REPLICA_SET_ANNOTATIONS,
}
"""Annotation of a Deployment → why it is removed: its controller takes them from its ReplicaSets."""

DAEMON_SET_ANNOTATIONS: Mapping[str, str] = {
    "deprecated.daemonset.template.generation": "the number of changes of the template, from the API server",
}
"""Annotation of a DaemonSet → why it is removed."""

SCALER_ANNOTATIONS: Mapping[str, str] = {
    "autoscaling.alpha.kubernetes.io/conditions": "status in the source cluster, as autoscaling/v1 shows it",
    "autoscaling.alpha.kubernetes.io/current-metrics": "status in the source cluster, as autoscaling/v1 shows it",
}
"""Annotation of a HorizontalPodAutoscaler → why it is removed; `metrics` and `behavior` are its spec and stay."""

CLAIM_TEMPLATE: Path = ("spec", "volumeClaimTemplates", EACH)


def _claim_templates(obj: Object, _case: Case) -> Object:
    return remove(obj, (*CLAIM_TEMPLATE, "status"))


_template = pod_template("spec", "template")
_webhooks = (drop_injected_authority(("webhooks", EACH, "clientConfig")),)

BY_KIND: Mapping[tuple[str, str], tuple[Step, ...]] = {
    ("", "Service"): (free_cluster_ips, free_families, free_node_ports, free_health_check_port),
    ("", "Endpoints"): (forget_endpoint_targets,),
    ("discovery.k8s.io", "EndpointSlice"): (forget_endpoint_targets,),
    ("", "Pod"): (drop_token_volume, drop_added_tolerations, drop_pod_annotations, drop_pod_fields, pod_claims),
    ("", "PodTemplate"): (pod_template("template"),),
    ("", "ReplicationController"): (_template,),
    ("apps", "Deployment"): (drop_annotations(DEPLOYMENT_ANNOTATIONS), _template),
    ("apps", "ReplicaSet"): (drop_annotations(REPLICA_SET_ANNOTATIONS), _template),
    ("apps", "StatefulSet"): (_template, clean_templates(CLAIM_TEMPLATE), _claim_templates),
    ("apps", "DaemonSet"): (drop_annotations(DAEMON_SET_ANNOTATIONS), _template),
    ("batch", "Job"): (drop_generated_selector, _template),
    ("batch", "CronJob"): (
        suspend,
        clean_templates(("spec", "jobTemplate")),
        pod_template("spec", "jobTemplate", "spec", "template"),
    ),
    ("autoscaling", "HorizontalPodAutoscaler"): (drop_annotations(SCALER_ANNOTATIONS),),
    ("", "PersistentVolumeClaim"): (unbind_claim, drop_source, drop_annotations(CLAIM_ANNOTATIONS)),
    ("", "PersistentVolume"): (forget_claim, drop_annotations(VOLUME_ANNOTATIONS)),
    ("", "Secret"): (empty_token,),
    ("", "ServiceAccount"): (drop_generated_secrets,),
    ("", "Namespace"): (free_namespace,),
    ("rbac.authorization.k8s.io", "ClusterRole"): (drop_aggregated_rules,),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _webhooks,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _webhooks,
    ("apiregistration.k8s.io", "APIService"): (drop_injected_authority(("spec",)),),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (
        drop_injected_authority(("spec", "conversion", "webhook", "clientConfig")),
        make_crd_valid,
    ),
}
"""(group, kind) → the steps after metadata and status, in this order."""


CLUSTER_FIELDS: Mapping[str, str] = {
    "uid": "set by the API server; formats/links.py keeps it",
    "resourceVersion": "a revision of the source cluster's storage; the API server refuses it at create",
    "generation": "counted by the API server",
    "creationTimestamp": "set by the API server",
    "deletionTimestamp": "set by the API server",
    "deletionGracePeriodSeconds": "set by the API server",
    "selfLink": "a path of the source API server",
    "managedFields": "field managers of the source cluster; Policy.managed_fields keeps it",
    "ownerReferences": "owners by their uid in the source cluster; formats/links.py keeps them for re-linking",
}
"""Field of metadata → why it is removed."""

SAFE_FINALIZERS: Mapping[str, str] = {
    "kubernetes.io/pvc-protection": "added to every claim by the API server, removed by kube-controller-manager",
    "kubernetes.io/pv-protection": "added to every volume by the API server, removed by kube-controller-manager",
    "customresourcecleanup.apiextensions.k8s.io": "added to a CRD and removed by the API server itself",
}
"""Finalizer → why it may stay: every cluster removes it. With any other a deletion could hang forever."""


def strip(obj: Object, around: ClusterContext = UNKNOWN_CLUSTER, keep: Policy = DEFAULTS) -> Object:
    """Return `obj` without what has a meaning in its source cluster only.

    `obj` is a whole object with apiVersion, kind and metadata, live or stripped before. `around` is needed for claims
    only (which volumes are static). The result shares its unchanged parts with `obj`: change neither in place.
    """
    return _strip(obj, Case.of(obj, around, keep))


def _strip(obj: Object, case: Case) -> Object:
    stripped = obj | {"metadata": _metadata(obj["metadata"], case)}
    if not case.keep.status:
        stripped.pop("status", None)
    for step in BY_KIND.get(type_of(obj), ()):
        stripped = step(stripped, case)
    return stripped


_safe_only = only(lambda finalizer: isinstance(finalizer, str) and finalizer in SAFE_FINALIZERS)


def _metadata(meta: dict[str, Any], case: Case) -> dict[str, Any]:
    kept = {key: value for key, value in meta.items() if key not in CLUSTER_FIELDS}
    if case.keep.managed_fields and "managedFields" in meta:
        kept["managedFields"] = meta["managedFields"]
    if kept.get("name"):
        kept.pop("generateName", None)
    if not case.keep.finalizers:
        kept = change(kept, ("finalizers",), _safe_only)
    if isinstance(kept.get("annotations"), dict) and LAST_APPLIED in kept["annotations"]:
        _rewrite_last_applied(kept, case)
    return kept


def _rewrite_last_applied(meta: dict[str, Any], case: Case) -> None:
    """Strip the object in the annotation as the object itself, so that the next `kubectl apply` sees no stale field.

    An unreadable one is removed. It is written as kubectl does: sorted, compact, with a newline at the end; unchanged
    if nothing is stripped from it. The evidence for guesses is that of the outer object.
    """
    before = meta["annotations"]
    rest = {key: value for key, value in before.items() if key != LAST_APPLIED}
    if case.applied is not None:
        # kubectl writes the object without the annotation itself; one that another tool nested there is removed.
        # Its finalizers stay: the next apply asks for them as its author did, whether they come back or not.
        keep = replace(case.keep, finalizers=True)
        applied = change(case.applied, ("metadata", "annotations"), without(LAST_APPLIED))
        after = _strip(applied, replace(case, keep=keep))
        written = before[LAST_APPLIED] if after == case.applied else as_kubectl(after)
        meta["annotations"] = before | {LAST_APPLIED: written}
    elif rest:
        meta["annotations"] = rest
    else:
        del meta["annotations"]
