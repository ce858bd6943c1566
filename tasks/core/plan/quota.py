"""Whether a namespace's quota has room for what a restore creates: checked before anything is written.

Sources: kubernetes.io/docs/concepts/policy/resource-quotas (object counts and compute resources). Quotas with scopes
are not checked: what they count depends on each pod's class.
"""

from __future__ import annotations

import re
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.jsondoc.edit import Object, get, group_of, values
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.references.fields import POD_SPEC_AT

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMED = {
    "configmaps",
    "persistentvolumeclaims",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
}
"""Core resources that a quota counts under their plain name."""

OPEN_ON_NODES = ("NodePort", "LoadBalancer")

Demand = defaultdict[str, Decimal]
"""Amounts by their names in a quota: `pods`, `requests.cpu`, `count/deployments.apps`."""

SUFFIXES: dict[str, Decimal] = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(1000),
    "M": Decimal("1e6"),
    "G": Decimal("1e9"),
    "T": Decimal("1e12"),
    "P": Decimal("1e15"),
    "E": Decimal("1e18"),
    **{f"{letter}i": Decimal(2) ** (10 * power) for power, letter in enumerate("KMGTPE", start=1)},
}
"""Kubernetes' quantity suffixes (apimachinery: resource.Quantity)."""


_QUANTITY = re.compile(
    r"(?P<number>[+-]?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,3})?)(?P<suffix>[A-Za-z]{0,2})"
)


def quantity(text: Any) -> Decimal:
    """Return a Kubernetes quantity such as `500m`, `1Gi` or `1e3` as a number.

    Raises:
        DamagedError: it is not one.
    """
    parts = _QUANTITY.fullmatch(str(text))
    if not parts or parts["suffix"] not in SUFFIXES:
        raise DamagedError(f"{str(text)[:40]!r} is not a quantity")
    return Decimal(parts["number"]) * SUFFIXES[parts["suffix"]]


def requested(obj: Object, group_resource: str) -> Demand:
    """Return what `obj` uses of a quota, by the quota's names: itself, its pods, their requests and limits.

    Raises:
        DamagedError: an amount in it is not a quantity.
    """
    try:
        return _demand(obj, group_resource)
    except DamagedError as error:
        raise DamagedError(f"{Ref.of(obj)}: {error}") from error


def _demand(obj: Object, group_resource: str) -> Demand:
    taken: Demand = defaultdict(Decimal, {f"count/{group_resource}": Decimal(1)})
    if group_resource in NAMED:
        taken[group_resource] += 1
    if group_resource == "services":
        of = get(obj, "spec", "type")
        taken["services.nodeports"] += len(list(values(obj, "spec.ports[]"))) if of in OPEN_ON_NODES else 0
        taken["services.loadbalancers"] += of == "LoadBalancer"
    for claim in _claims(obj):
        taken["requests.storage"] += quantity(claim)
    pods = _pods(obj)
    if pods:
        taken["pods"] += pods
        for name, amount in _compute(obj):
            taken[name] += amount * pods
    return taken


def _claims(obj: Object) -> Iterator[Any]:
    if obj["kind"] == "PersistentVolumeClaim":
        yield from values(obj, "spec.resources.requests.storage")


def _pods(obj: Object) -> int:
    kind = (group_of(obj["apiVersion"]), obj["kind"])
    if kind == ("", "Pod"):
        return 1
    if kind == ("batch", "Job"):
        return 0 if get(obj, "spec", "suspend") else _whole(get(obj, "spec", "parallelism"))
    if kind in {("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "ReplicaSet"), ("", "ReplicationController")}:
        return _whole(get(obj, "spec", "replicas"))
    return 0  # a DaemonSet's pods depend on the nodes


def _whole(count: Any) -> int:
    """Return a number of pods, 1 by default."""
    return count if isinstance(count, int) else 1


def _compute(obj: Object) -> Iterator[tuple[str, Decimal]]:
    at = POD_SPEC_AT[group_of(obj["apiVersion"]), obj["kind"]]
    for resources in values(obj, f"{at}.containers[].resources"):
        limits, requests = _map(resources, "limits"), _map(resources, "requests")
        for name, amount in limits.items():
            yield f"limits.{name}", quantity(amount)
        # A limit without a request is also the request (kubernetes.io: resource management for pods and containers).
        for name, amount in (limits | requests).items():
            yield f"requests.{name}", quantity(amount)
            yield name, quantity(amount)


def _map(value: Any, key: str) -> dict[str, Any]:
    found = get(value, key)
    return found if isinstance(found, dict) else {}


def shortage(quota: Object, wanted: Demand) -> list[str]:
    """Return one line for each resource of which the quota has too little left."""
    spec, status = quota.get("spec") or {}, quota.get("status") or {}
    if spec.get("scopes") or spec.get("scopeSelector"):
        return []
    used = status.get("used") or {}
    lines = []
    for name, hard in sorted((spec.get("hard") or {}).items()):
        left = quantity(hard) - quantity(used.get(name, "0"))
        if wanted.get(name, Decimal(0)) > max(
            left, Decimal(0)
        ):  # lowered below what is used, it refuses only what adds to that
            lines.append(f"{name}: {wanted[name]} requested, {left.normalize():f} of {hard} left")
    return lines
