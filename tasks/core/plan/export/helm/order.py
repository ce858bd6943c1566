"""Where Helm's order by kind would break an application, and the hook that each such object becomes.

Helm creates the objects of a release by kind, unknown kinds last, and does not wait in between; it looks all kinds up
before it creates the first one. Most references bear that: controllers try again. These do not:

- a webhook whose server comes with the release is called for custom resources, which Helm creates after it;
- a custom resource whose definition is itself a template, or that an API server of the release serves, has no kind yet;
- a Pod without a controller is refused once, and nobody creates it again.

Source: helm.sh/helm/v4 v4.3.2, pkg/release/v1/util/kind_sorter.go and pkg/action/{install,hooks}.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.graph.order import Strength, Via
from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.needs.cluster_scoped import CRD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from kubeferry.tasks.core.graph.order import Edge
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref

INSTALL_ORDER = (
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
)
"""Helm's order of kinds; it does not look at groups."""

WEBHOOKS = frozenset({"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"})
POD = ("", "Pod")
ADMITTED = frozenset({("", "ServiceAccount"), ("scheduling.k8s.io", "PriorityClass"), ("node.k8s.io", "RuntimeClass")})
"""What a Pod is refused without (kubernetes.io: Admission Controllers; ServiceAccount, Priority, RuntimeClass)."""
API_SERVICE = ("apiregistration.k8s.io", "APIService")


class Hook(Enum):
    """When a hook of a chart is created."""

    BEFORE = ("pre-install", "pre-upgrade", "pre-rollback")
    """Before everything else."""
    AFTER = ("post-install", "post-upgrade", "post-rollback")
    """When everything else is there; with `--wait`, when it is ready."""
    ONCE = ("post-install",)
    """As AFTER by an install that does not know its kind yet; from the first upgrade it belongs to the release."""

    @property
    def events(self) -> str:
        """Return Helm's events, as in the annotation `helm.sh/hook`."""
        return ",".join(self.value)


@dataclass(frozen=True, slots=True)
class Turn:
    """An object that Helm's order would create at the wrong time."""

    hook: Hook
    why: str


@dataclass(frozen=True, slots=True)
class Misplaced:
    """An order that a user asked for and that Helm's order does not keep."""

    source: Ref
    target: Ref
    why: str


def place(ref: Ref) -> tuple[int, str]:
    """Return the place of an object in Helm's order: unknown kinds come last, by name."""
    known = ref.kind in INSTALL_ORDER
    return (INSTALL_ORDER.index(ref.kind), "") if known else (len(INSTALL_ORDER), ref.kind)


def turns(
    refs: Iterable[Ref], needs: Mapping[Ref, list[Edge]], body: Callable[[Ref], Object], namespace: str
) -> dict[Ref, Turn]:
    """Return the objects that have to be hooks, each with its hook and the reason.

    Args:
        refs: the objects of the chart.
        needs: what each of them waits for.
        body: returns one of them.
        namespace: the namespace of the release, as the objects name it.
    """
    known = sorted(refs)
    there = set(known)
    found: dict[Ref, Turn] = {}
    unknown = {ref.group for ref in known if ref.kind not in INSTALL_ORDER}
    for ref in known:
        if ref.kind in WEBHOOKS:
            groups = _intercepted(body(ref), namespace, unknown)
            if groups:
                why = f"its server comes with the release, and it is called for objects of {', '.join(sorted(groups))}"
                found[ref] = Turn(Hook.AFTER, why)
    coming = dict(_coming(known, body, namespace))
    for ref in known:
        if ref.kind not in INSTALL_ORDER and (ref.group, ref.kind) in coming:
            found[ref] = Turn(Hook.ONCE, f"its kind comes with the release, from {coming[ref.group, ref.kind]}")
    for ref in known:
        if (ref.group, ref.kind) == POD:
            for edge in needs.get(ref, ()):
                asked = (edge.target.group, edge.target.kind) in ADMITTED
                if asked and place(edge.target) > place(ref) and edge.target in there:
                    found[edge.target] = Turn(Hook.BEFORE, f"Pod {ref.name} is refused without it: {edge.why}")
    return found


def misplaced(needs: Mapping[Ref, list[Edge]], hooks: Mapping[Ref, Turn]) -> list[Misplaced]:
    """Return the orders that users asked for and that Helm's order contradicts."""
    asked = (
        edge
        for edges in needs.values()
        for edge in edges
        if edge.via is Via.ANNOTATION and edge.strength is Strength.EXPLICIT
    )
    return [
        Misplaced(edge.source, edge.target, edge.why)
        for edge in sorted(asked, key=lambda edge: (edge.source, edge.target))
        if place(edge.source) <= place(edge.target) and edge.source not in hooks
    ]


def _intercepted(webhooks: Object, namespace: str, groups: set[str]) -> set[str]:
    """Return those of some groups for which a webhook of the release's own server is called and needed."""
    found: set[str] = set()
    for webhook in _maps(webhooks.get("webhooks")):
        ours = get(webhook, "clientConfig", "service", "namespace") == namespace
        if ours and webhook.get("failurePolicy", "Fail") != "Ignore":
            named = {group for rule in _maps(webhook.get("rules")) for group in rule.get("apiGroups") or []}
            found |= groups if "*" in named else groups & named
    return found


def _coming(
    refs: Iterable[Ref], body: Callable[[Ref], Object], namespace: str
) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the kinds that exist only when templates of the release are installed, each with what makes it."""
    known = list(refs)
    for ref in known:
        if (ref.group, ref.kind) not in (CRD, API_SERVICE):
            continue
        obj = body(ref)
        spec = obj.get("spec")
        if (ref.group, ref.kind) == CRD and namespace in str(obj):
            yield (str(get(spec, "group")), str(get(spec, "names", "kind"))), str(ref)
        elif (ref.group, ref.kind) == API_SERVICE and get(spec, "service", "namespace") == namespace:
            yield from (((each.group, each.kind), str(ref)) for each in known if each.group == get(spec, "group"))


def _maps(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
