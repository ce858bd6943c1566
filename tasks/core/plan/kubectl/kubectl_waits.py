"""How the script of `kubeferry plan --kubectl` waits for an object: a table of kinds, by what kubectl can wait for.

The rules are those of readiness*.py, as far as `kubectl wait` and `kubectl rollout status` can tell them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.jsondoc.edit import Object, get, group_of
from kubeferry.tasks.core.kube.kinds import TOKEN_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _field(path: str, value: object = None) -> str:
    return f"ready_by 'jsonpath={{{path}}}" + ("'" if value is None else f"={value}'")


def _condition(name: str) -> str:
    return f"ready_by condition={name}"


def _replicas(obj: Object) -> int:
    told = get(obj, "spec", "replicas")
    return told if isinstance(told, int) else 1


def _deployment(obj: Object) -> str:
    return "" if get(obj, "spec", "paused") else "ready_rollout"


def _stateful_set(obj: Object) -> str:
    """`kubectl rollout status` refuses a StatefulSet that is updated on delete; no replicas leave no field."""
    if get(obj, "spec", "updateStrategy", "type") != "OnDelete":
        return "ready_rollout"
    return _available(".status.availableReplicas", obj)


def _daemon_set(obj: Object) -> str:
    on_delete = get(obj, "spec", "updateStrategy", "type") == "OnDelete"
    return _field(".status.observedGeneration") if on_delete else "ready_rollout"


def _available(path: str, obj: Object) -> str:
    return _field(path, _replicas(obj)) if _replicas(obj) else ""


def _job(obj: Object) -> str:
    return "" if get(obj, "spec", "suspend") else _field(".status.startTime")


WAITS: Mapping[tuple[str, str], Callable[[Object], str]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "ReplicaSet"): lambda obj: _available(".status.availableReplicas", obj),
    ("", "ReplicationController"): lambda obj: _available(".status.availableReplicas", obj),
    ("batch", "Job"): _job,
    ("", "Pod"): lambda _: _condition("Ready"),
    ("", "PersistentVolumeClaim"): lambda _: "ready_claim",
    ("", "Namespace"): lambda _: _field(".status.phase", "Active"),
    ("", "ResourceQuota"): lambda _: _field(".status.hard"),
    ("", "Secret"): lambda obj: _field(".data.token") if obj.get("type") == TOKEN_TYPE else "",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): lambda _: _condition("Established"),
    ("apiregistration.k8s.io", "APIService"): lambda _: _condition("Available"),
}


def wait_for(obj: Object) -> str:
    """Return the function of the script (with its first arguments) that waits for `obj`; "": there is nothing to."""
    group = group_of(obj["apiVersion"])
    known = WAITS.get((group, obj["kind"]))
    if known:
        return known(obj)
    native = "." not in group or group.endswith(".k8s.io")
    return "" if native else "ready_custom"
