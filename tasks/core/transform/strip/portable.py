"""Return an object without what only its old cluster meant, so that any cluster can create it.

Structural, by tables: what is not in them stays as it is, byte for byte. The input survives; empty maps and lists stay;
stripping twice is stripping once. It refuses to guess about an object that no API server wrote (see strip_case). What
re-linking needs of what goes away (uid, owners, addresses) is taken before, by links.py.

Which steps of stripping an object of a kind goes through; a kind that is not here only has what all objects have.

The table is the whole of it: it refuses to look at objects.
"""

from __future__ import annotations

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
    free_health_check_port,
    free_node_ports,
)
from kubeferry.tasks.core.transform.strip.storage import (
    CLAIM_ANNOTATIONS,
    VOLUME_ANNOTATIONS,
    drop_annotations,
    drop_generated_secrets,
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
"""Annotation of a ReplicaSet → why it goes; its revision stays, by which a Deployment is rolled back (--owned keep)."""

DEPLOYMENT_ANNOTATIONS: Mapping[str, str] = {
    "deployment.kubernetes.io/revision": "the rollouts of the old cluster, counted",
    "deployment.kubernetes.io/revision-history": "the rollouts of the old cluster, counted",
    **REPLICA_SET_ANNOTATIONS,
}
"""Annotation of a Deployment → why it goes: its controller takes them from its ReplicaSets."""

DAEMON_SET_ANNOTATIONS: Mapping[str, str] = {
    "deprecated.daemonset.template.generation": "changes of the template, counted by the API server",
}
"""Annotation of a DaemonSet → why it goes."""

SCALER_ANNOTATIONS: Mapping[str, str] = {
    "autoscaling.alpha.kubernetes.io/conditions": "status of the old cluster, as autoscaling/v1 shows it",
    "autoscaling.alpha.kubernetes.io/current-metrics": "status of the old cluster, as autoscaling/v1 shows it",
}
"""Annotation of a HorizontalPodAutoscaler → why it goes; `metrics` and `behavior` are its spec and stay."""

CLAIM_TEMPLATE: Path = ("spec", "volumeClaimTemplates", EACH)


def _claim_templates(obj: Object, _case: Case) -> Object:
    return remove(obj, (*CLAIM_TEMPLATE, "status"))


_template = pod_template("spec", "template")
_webhooks = (drop_injected_authority(("webhooks", EACH, "clientConfig")),)

BY_KIND: Mapping[tuple[str, str], tuple[Step, ...]] = {
    ("", "Service"): (free_cluster_ips, free_node_ports, free_health_check_port),
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
    ("", "PersistentVolumeClaim"): (unbind_claim, drop_annotations(CLAIM_ANNOTATIONS)),
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
"""(group, kind) → what is done to it after metadata and status, in this order."""


CLUSTER_FIELDS: Mapping[str, str] = {
    "uid": "given by the API server; links.py keeps it",
    "resourceVersion": "a revision of the old cluster's store; the API server refuses it at create",
    "generation": "counted by the API server",
    "creationTimestamp": "set by the API server",
    "deletionTimestamp": "set by the API server",
    "deletionGracePeriodSeconds": "set by the API server",
    "selfLink": "a path of the old API server",
    "managedFields": "who set what in the old cluster; Keep.managed_fields keeps it",
    "ownerReferences": "name owners by the uid of the old cluster; links.py keeps them for re-linking",
}
"""Field of metadata → why it goes."""

SAFE_FINALIZERS: Mapping[str, str] = {
    "kubernetes.io/pvc-protection": "put on every claim by the API server, taken off by kube-controller-manager",
    "kubernetes.io/pv-protection": "put on every volume by the API server, taken off by kube-controller-manager",
    "customresourcecleanup.apiextensions.k8s.io": "put on a CRD and taken off by the API server itself",
}
"""Finalizer → why it may stay: every cluster has what takes it off. With any other a deletion could hang for ever."""


def strip(obj: Object, around: ClusterContext = UNKNOWN_CLUSTER, keep: Policy = DEFAULTS) -> Object:
    """Return `obj` without what only its old cluster meant.

    `obj` is a whole object with apiVersion, kind and metadata, live or stripped before. `around` is needed for claims
    only (which volumes are static). What is returned shares its unchanged parts with `obj`: change neither in place.
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

    One that cannot be read goes. Written as kubectl does: sorted, compact, with a newline at the end; left untouched
    where nothing is stripped from it. Evidence for guesses is that of the outer object.
    """
    before = meta["annotations"]
    rest = {key: value for key, value in before.items() if key != LAST_APPLIED}
    if case.applied is not None:
        # kubectl writes the object without the annotation itself; one nested in there by other hands goes.
        after = _strip(change(case.applied, ("metadata", "annotations"), without(LAST_APPLIED)), case)
        written = before[LAST_APPLIED] if after == case.applied else as_kubectl(after)
        meta["annotations"] = before | {LAST_APPLIED: written}
    elif rest:
        meta["annotations"] = rest
    else:
        del meta["annotations"]
