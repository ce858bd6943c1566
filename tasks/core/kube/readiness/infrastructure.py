"""When objects that create no pods are ready: storage, traffic, quota, tokens, and extensions of the API.

A kind belongs here if its existence alone does not mean that the next step can rely on it, or if kstatus would wait for
something that a restore must not wait for (an address that this cluster does not assign).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.kube.claims import class_of
from kubeferry.tasks.core.kube.kinds import TOKEN_TYPE
from kubeferry.tasks.core.kube.objects import annotations_of
from kubeferry.tasks.core.kube.readiness.verdict import (
    Context,
    Rule,
    Verdict,
    always,
    condition,
    failed,
    holds,
    mapping,
    ready,
    reason_in,
    spec_of,
    status_of,
    waiting,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from kubeferry.tasks.core.jsondoc.edit import Object

STORAGE_CLASS = ("storage.k8s.io", "StorageClass")
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
"""The annotation of the default StorageClass."""

SELECTED_NODE = "volume.kubernetes.io/selected-node"
"""The annotation that the scheduler sets once the first consumer has a node: then the volume is provisioned."""


def context_of(classes: Iterable[Object]) -> Context:
    """Return the context of readiness rules, from the StorageClasses of a cluster."""
    listed = list(classes)
    late = {each["metadata"]["name"] for each in listed if each.get("volumeBindingMode") == "WaitForFirstConsumer"}
    default = (each["metadata"]["name"] for each in listed if annotations_of(each).get(DEFAULT_CLASS) == "true")
    return Context(wait_for_first_consumer=frozenset(late), default_class=next(default, None))


def claim(obj: Object, _now: datetime, context: Context) -> Verdict:
    """Ready when Bound, or when only a pod that uses it makes it so: a restore would wait forever for that pod."""
    phase = status_of(obj).get("phase", "Pending")
    if phase == "Bound":
        return ready("is bound")
    if phase == "Lost":
        return failed(f"has lost its volume {spec_of(obj).get('volumeName', '')}".rstrip())
    if _waits_for_a_pod(obj, context):
        return ready("is bound when a pod uses it")
    return waiting(f"is {phase}")


def _waits_for_a_pod(obj: Object, context: Context) -> bool:
    """Return whether a claim stays unbound until a pod that uses it is scheduled.

    A claim that names its volume is bound at once whatever its class, and `""` means no class (kubernetes.io: Volume
    Binding Mode).
    """
    if spec_of(obj).get("volumeName") or SELECTED_NODE in annotations_of(obj):
        return False
    named = class_of(obj)
    return (context.default_class if named is None else named) in context.wait_for_first_consumer


def volume(obj: Object, _now: datetime, _context: Context) -> Verdict:
    """Ready when it can be used; a Released one still refers to its deleted claim and is not bound again."""
    phase = status_of(obj).get("phase", "Pending")
    if phase in {"Bound", "Available"}:
        return ready(f"is {phase}")
    if phase in {"Failed", "Released"}:
        return failed(str(status_of(obj).get("message") or f"is {phase}"))
    return waiting(f"is {phase}")


def namespace(obj: Object, _now: datetime, _context: Context) -> Verdict:
    """Ready when Active."""
    phase = status_of(obj).get("phase", "not seen yet")
    return ready("is Active") if phase == "Active" else waiting(f"is {phase}")


def resource_quota(obj: Object, _now: datetime, _context: Context) -> Verdict:
    """Ready when its usage is calculated: until then admission refuses pods ('status unknown for quota')."""
    calculated = mapping(status_of(obj).get("hard")) == mapping(spec_of(obj).get("hard"))
    return ready("its usage is calculated") if calculated else waiting("its usage is not calculated yet")


def secret(obj: Object, _now: datetime, _context: Context) -> Verdict:
    """Ready at once, but a service account token only when the token controller has issued it."""
    if obj.get("type") != TOKEN_TYPE or mapping(obj.get("data")).get("token"):
        return ready("exists")
    return waiting("its token is not issued yet")


def custom_resource_definition(obj: Object, _now: datetime, _context: Context) -> Verdict:
    """Ready when NamesAccepted and Established; names that another CRD uses are never accepted."""
    accepted, established = condition(obj, "NamesAccepted"), condition(obj, "Established")
    if accepted.get("status") == "False":
        return failed(reason_in(accepted, "its names are not accepted"))
    if holds(accepted) and holds(established):
        return ready("is established")
    return waiting(reason_in(established, "is not established yet"))


def api_service(obj: Object, _now: datetime, _context: Context) -> Verdict:
    """Ready when the API server can reach its service."""
    available = condition(obj, "Available")
    return ready("is available") if holds(available) else waiting(reason_in(available, "is not available yet"))


def service(obj: Object, now: datetime, context: Context) -> Verdict:
    """Ready at once; a LoadBalancer, if asked for, only when it has an address."""
    balanced = spec_of(obj).get("type") == "LoadBalancer"
    return ingress(obj, now, context) if balanced else ready("exists")


def ingress(obj: Object, _now: datetime, context: Context) -> Verdict:
    """Ready at once; if asked for, only when it has an address."""
    if mapping(status_of(obj).get("loadBalancer")).get("ingress"):
        return ready("has its address")
    return waiting("has no address yet") if context.wait_for_addresses else ready("exists")


CLUSTER: dict[tuple[str, str], Rule] = {
    ("", "PersistentVolumeClaim"): claim,
    ("", "PersistentVolume"): volume,
    ("", "Namespace"): namespace,
    ("", "ResourceQuota"): resource_quota,
    ("", "Secret"): secret,
    ("", "Service"): service,
    ("", "ServiceAccount"): always("exists"),
    ("networking.k8s.io", "Ingress"): ingress,
    ("extensions", "Ingress"): ingress,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): custom_resource_definition,
    ("apiregistration.k8s.io", "APIService"): api_service,
    # Their conditions report later events (no metrics yet, no pods to protect), not whether they work.
    ("autoscaling", "HorizontalPodAutoscaler"): always("exists"),
    ("policy", "PodDisruptionBudget"): always("exists"),
}
