"""`--at-rest`: an object as it can be created without doing anything yet, and how to wake it up.

Workloads get no replicas, Jobs and CronJobs are suspended, DaemonSets select no node, a Pod of nobody is not scheduled
(`schedulingGates`, KEP-3521), a Service of type LoadBalancer is of type ClusterIP, autoscalers of KEDA pause. A
HorizontalPodAutoscaler needs nothing: Kubernetes switches it off while its target has no replicas ("implicit
maintenance-mode deactivation"). The annotation `AT_REST` holds the JSON merge patch that wakes the object up and
removes the annotation. Ingresses, routes and Gateways come as they are.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import orjson

from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.jsondoc.patch import merge_patch
from kubeferry.tasks.core.kube.objects import Ref, annotations_of, type_of
from kubeferry.tasks.core.lookup.steps import Named, Newest, Pods, Read
from kubeferry.tasks.core.plugins.registry import inverse

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.lookup.chain import Chain

AT_REST = "kubeferry.io/at-rest"
"""Annotation of an object at rest, label that no node has, and scheduling gate."""

Change = dict[str, Any]
"""A JSON merge patch (RFC 7396)."""

_OF_LOAD_BALANCER = (
    "loadBalancerIP",
    "loadBalancerClass",
    "loadBalancerSourceRanges",
    "allocateLoadBalancerNodePorts",
    "externalTrafficPolicy",
    "healthCheckNodePort",
)
"""Fields that the API server refuses for other types of Services."""

_KEDA = "autoscaling.keda.sh/paused"
"""KEDA's annotation on ScaledObjects and ScaledJobs (keda.sh: "Pausing autoscaling")."""


def _fewer(obj: Object) -> Change:
    return {"spec": {"replicas": 0}} if get(obj, "spec", "replicas") != 0 else {}


def _suspended(obj: Object) -> Change:
    return {"spec": {"suspend": True}} if get(obj, "spec", "suspend") is not True else {}


def _nowhere(_obj: Object) -> Change:
    return {"spec": {"template": {"spec": {"nodeSelector": {AT_REST: "true"}}}}}


def _gated(obj: Object) -> Change:
    return {"spec": {"schedulingGates": [*(get(obj, "spec", "schedulingGates") or []), {"name": AT_REST}]}}


def _inside(obj: Object) -> Change:
    spec = obj.get("spec") or {}
    change: Change = {"externalIPs": None} if spec.get("externalIPs") else {}
    if spec.get("type") == "LoadBalancer":
        change |= {"type": "ClusterIP"} | {field: None for field in _OF_LOAD_BALANCER if field in spec}
        ports = spec.get("ports") or []
        if any("nodePort" in each for each in ports):
            change["ports"] = [{key: value for key, value in each.items() if key != "nodePort"} for each in ports]
    return {"spec": change} if change else {}


def _no_scaling(obj: Object) -> Change:
    return {"metadata": {"annotations": {_KEDA: "true"}}} if annotations_of(obj).get(_KEDA) != "true" else {}


_RESTS: Mapping[tuple[str, str], Callable[[Object], Change]] = {
    ("apps", "Deployment"): _fewer,
    ("apps", "StatefulSet"): _fewer,
    ("apps", "ReplicaSet"): _fewer,
    ("", "ReplicationController"): _fewer,
    ("apps", "DaemonSet"): _nowhere,
    ("batch", "CronJob"): _suspended,
    ("batch", "Job"): _suspended,
    ("", "Pod"): _gated,
    ("", "Service"): _inside,
    ("keda.sh", "ScaledObject"): _no_scaling,
    ("keda.sh", "ScaledJob"): _no_scaling,
}
"""(group, kind) → the merge patch that puts an object to rest, {} where it is at rest as it is."""

_CALLING = {"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "APIService"}


def rested(obj: Object, *, owned: bool = False) -> Object:
    """Return an object at rest; as it is, if it needs nothing. What is `owned` by a controller is woken by that."""
    rule = _RESTS.get(type_of(obj))
    change = rule(obj) if rule and AT_REST not in annotations_of(obj) else {}
    if owned and rule is _fewer:
        return _patched(obj, change)
    return _noted(obj, change)


def scaled_to_none(obj: Object, path: tuple[str, ...]) -> Object:
    """Return a custom resource without replicas, the number of which is at `path`; as it is if it says no number."""
    if AT_REST in annotations_of(obj) or not isinstance(get(obj, *path), int) or get(obj, *path) == 0:
        return obj
    change: Any = 0
    for step in reversed(path):
        change = {step: change}
    return _noted(obj, change)


def scale_path(definition: Object, version: str) -> tuple[str, ...]:
    """Return where objects of a definition have their number of replicas, () where it has no scale subresource."""
    for each in get(definition, "spec", "versions") or ():
        if get(each, "name") == version:
            found = get(each, "subresources", "scale", "specReplicasPath")
            return tuple(found.lstrip(".").split(".")) if isinstance(found, str) else ()
    return ()


def waking(obj: Object) -> str:
    """Return the command that wakes an object up, "" for one that is not at rest."""
    patch = annotations_of(obj).get(AT_REST)
    if not isinstance(patch, str):
        return ""
    ref = Ref.of(obj)
    kind = f"{ref.kind.lower()}.{ref.group}" if ref.group else ref.kind.lower()
    return shlex.join(["kubectl", "patch", kind, ref.name, "-n", ref.namespace, "--type", "merge", "-p", patch])


def awake(obj: Object, spaces: Collection[str]) -> str:
    """Return why an object acts although all is at rest, "" if it does not; `spaces` are the namespaces at rest."""
    kind = type_of(obj)
    if kind[1] in _CALLING and _called(obj) & set(spaces):
        return "is there, and calls a Service whose pods are at rest: what it intercepts or serves fails until then"
    if kind == ("autoscaling", "HorizontalPodAutoscaler"):
        return "does nothing while what it scales has no replicas, and goes on when that is woken up"
    if kind == ("gateway.networking.k8s.io", "Gateway"):
        return "is not at rest: its controller gives it an address"
    return ""


def has_no_value(chain: Chain) -> bool:
    """Return whether the value at the end of a chain does not exist while all is at rest: it comes of a running pod."""
    return any(
        isinstance(step, Pods | Named)
        or (isinstance(step, Newest) and step.kind in ("Job", "Pod"))
        or (isinstance(step, Read) and step.what in ("podIP", "hostIP", "nodeName", "endpoint", "ingress"))
        for step in chain.steps
    )


def _called(obj: Object) -> set[str]:
    services = [get(each, "clientConfig", "service") for each in obj.get("webhooks") or ()]
    return {str(get(each, "namespace")) for each in [*services, get(obj, "spec", "service")] if each}


def _noted(obj: Object, change: Change) -> Object:
    if not change:
        return obj
    back = inverse(obj, change)
    meta = back.get("metadata") or {}
    back["metadata"] = meta | {"annotations": (meta.get("annotations") or {}) | {AT_REST: None}}
    note = orjson.dumps(back, option=orjson.OPT_SORT_KEYS).decode()
    return _patched(_patched(obj, change), {"metadata": {"annotations": {AT_REST: note}}})


def _patched(obj: Object, change: Change) -> Object:
    found: Object = merge_patch(obj, change)
    return found
