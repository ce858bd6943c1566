"""Fields by which Kubernetes itself routes, resolves or lets through: no placeholder may be in them, not for a second.

Such a field is left out until its values are known, if the object does less without it: a NetworkPolicy that lists no
rule for a direction lets nothing through there. Where it would do more (a load balancer without source ranges lets all
in), or would be refused, the object has to wait for the value.

Source: the API reference of Kubernetes 1.36. What a program reads (arguments, variables) is none of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.core.needs.references.fields import POD_SPEC_AT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kubeferry.tasks.core.jsondoc.edit import Object

HOOKS = "admissionregistration.k8s.io"

LEFT_OUT: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", "Service"): ("spec.loadBalancerIP", "spec.externalIPs"),
    ("", "Endpoints"): ("subsets",),
    ("gateway.networking.k8s.io", "Gateway"): ("spec.addresses",),
    ("discovery.k8s.io", "EndpointSlice"): ("endpoints",),
    ("networking.k8s.io", "NetworkPolicy"): ("spec.ingress", "spec.egress"),
    (HOOKS, "ValidatingWebhookConfiguration"): ("webhooks",),
    (HOOKS, "MutatingWebhookConfiguration"): ("webhooks",),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): ("spec.conversion",),
}
"""(group, kind) → the fields without which an object does less; all of such a field is left out."""

WAITED_FOR: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", "Service"): ("spec.loadBalancerSourceRanges", "spec.externalName"),
}
"""(group, kind) → the fields without which an object does more, or is refused."""

PODS_LEFT_OUT = ("hostAliases",)
PODS_WAITED_FOR = ("dnsConfig.nameservers", "nodeName")
"""The same, relative to the spec of a pod."""

_CONTAINERS = ("containers", "initContainers")


@dataclass(frozen=True, slots=True)
class Acting:
    """A field that acts."""

    part: str
    """JSON pointer of what may be left out; "" if the object has to wait for the value."""


def acting(obj: Object, steps: Sequence[str]) -> Acting | None:
    """Return the field that acts at, or around, the steps of a JSON pointer; None if there is none."""
    kind = (group_of(obj["apiVersion"]), obj["kind"])
    where = ".".join(steps)
    for path in LEFT_OUT.get(kind, ()):
        if _within(where, path):
            return Acting("/" + path.replace(".", "/"))
    if any(_within(where, path) for path in WAITED_FOR.get(kind, ())):
        return Acting("")
    spec = POD_SPEC_AT.get(kind)
    return _of_pod(spec, where, steps) if spec and _within(where, spec) else None


def _within(where: str, path: str) -> bool:
    return where == path or where.startswith(f"{path}.")


def _of_pod(spec: str, where: str, steps: Sequence[str]) -> Acting | None:
    for path in PODS_LEFT_OUT:
        if _within(where, f"{spec}.{path}"):
            return Acting("/" + f"{spec}.{path}".replace(".", "/"))
    if any(_within(where, f"{spec}.{path}") for path in PODS_WAITED_FOR):
        return Acting("")
    below = steps[len(spec.split(".")) :]
    return next(_of_container(steps, below), None)


def _of_container(steps: Sequence[str], below: Sequence[str]) -> Iterator[Acting]:
    """Yield the field of a container that acts: the host of a probe (without it, the pod), the node's of a port."""
    if not below or below[0] not in _CONTAINERS:
        return
    if below[-1] == "host" and below[-2:-1] in (["httpGet"], ["tcpSocket"]):
        yield Acting("/" + "/".join(steps))
    if below[2:3] == ["ports"] and below[-1] == "hostIP":
        yield Acting("")
