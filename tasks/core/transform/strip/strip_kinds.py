"""Which steps of stripping an object of a kind goes through; a kind that is not here only has what all objects have.

The table is the whole of it: it refuses to look at objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.jsondoc.edit import EACH, Path, remove
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
    from kubeferry.tasks.core.transform.strip.case import Case, Step

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
