"""The ports of nodes that pods take, and the nodes on which a pod fits, as the scheduler compares them.

Rules of kubernetes.io, "Assigning Pods to Nodes", "Taints and Tolerations", and of the scheduler's plug-ins NodePorts,
NodeAffinity and TaintToleration. Resources, preferences and the spread of pods are not looked at: a node that fits here
may still be full. Objects come from archives, so every field may have another type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.kube.objects import Ref, labels_of, type_of
from kubeferry.tasks.core.needs.references.fields import POD_SPEC_AT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object

PODS_AT: Mapping[tuple[str, str], tuple[str, ...]] = {
    kind: tuple(path.split("."))
    for kind, path in POD_SPEC_AT.items()
    if kind not in {("", "PodTemplate"), ("batch", "CronJob")}
}
"""(group, kind) → where its pods are described; a CronJob has none before its time comes, a PodTemplate never."""

_ANY = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared, not bound


@dataclass(frozen=True, slots=True, order=True)
class HostPort:
    """A port of a node."""

    port: int
    protocol: str = "TCP"
    address: str = ""
    """An address of the node; "" for all of them."""

    def excludes(self, other: HostPort) -> bool:
        """Return whether one node cannot have both."""
        same = (self.port, self.protocol) == (other.port, other.protocol)
        return same and (self.address == other.address or "" in {self.address, other.address})

    def __str__(self) -> str:
        """Return it as text for people: `8080/TCP`."""
        return f"{self.port}/{self.protocol}" + (f" of {self.address}" if self.address else "")


def host_ports(spec: Any) -> frozenset[HostPort]:
    """Return the ports of its node that a pod takes; with hostNetwork those of its containers (API reference, Pod)."""
    shares = get(spec, "hostNetwork") is True
    sidecars = (each for each in _list(get(spec, "initContainers")) if get(each, "restartPolicy") == "Always")
    found = set()
    for container in (*_list(get(spec, "containers")), *sidecars):
        for each in _list(get(container, "ports")):
            port = get(each, "hostPort") or (get(each, "containerPort") if shares else None)
            if isinstance(port, int):
                address = str(get(each, "hostIP") or "")
                found.add(HostPort(port, str(get(each, "protocol") or "TCP"), "" if address in _ANY else address))
    return frozenset(found)


def replicas(obj: Object) -> int | None:
    """Return how many pods a workload wants; None for one on each node on which it fits."""
    group, kind = type_of(obj)
    if (group, kind) == ("apps", "DaemonSet"):
        return None
    if (group, kind) == ("", "Pod"):
        return 1
    if kind == "Job" and get(obj, "spec", "suspend") is True:
        return 0
    wanted = get(obj, "spec", "parallelism" if kind == "Job" else "replicas")
    return wanted if isinstance(wanted, int) else 1


def short(obj: Object, pods: Iterable[Object], nodes: Iterable[Object]) -> str:
    """Return why a workload would wait for ports of nodes, in a sentence; "" if there are enough of them.

    `pods` and `nodes` are those of the whole cluster. A workload that fits on no node waits for something else.
    """
    spec = get(obj, *PODS_AT[type_of(obj)])
    ports, fitting = host_ports(spec), {str(each["metadata"]["name"]) for each in nodes if fits(spec, each)}
    wanted = replicas(obj)
    needed = len(fitting) if wanted is None else wanted
    if not ports or not fitting or not needed:
        return ""
    held = dict(_held(ports, pods, fitting))
    if needed <= len(fitting) - len(held):
        return ""
    holders = sorted({f"{Ref.of(pod)}" for pod, _ in held.values()})
    taken = ", ".join(str(port) for port in sorted({port for _, port in held.values()}) or sorted(ports))
    more = f" and {len(holders) - 1} more" if len(holders) > 1 else ""
    by = f", by {holders[0]}{more}" if holders else ""
    return (
        f"needs host port {taken} on {needed} node{'s' * (needed > 1)}, and has it on {len(fitting) - len(held)}: "
        f"it is taken on {len(held)} of the {len(fitting)} on which its pods fit{by}"
    )


def _held(
    ports: Iterable[HostPort], pods: Iterable[Object], fitting: Iterable[str]
) -> Iterator[tuple[str, tuple[Object, HostPort]]]:
    """Yield each node on which a pod has one of the ports, with the pod and the port."""
    for pod in pods:
        node = get(pod, "spec", "nodeName")
        if node in fitting and get(pod, "status", "phase") not in ("Succeeded", "Failed"):
            for each in host_ports(pod.get("spec")):
                if any(each.excludes(port) for port in ports):
                    yield str(node), (pod, each)


def fits(spec: Any, node: Object) -> bool:
    """Return whether the scheduler may place a pod on a node, by its name, labels and taints."""
    named = get(spec, "nodeName")
    if isinstance(named, str) and named:
        return named == str(node["metadata"]["name"])
    labels = labels_of(node)
    selector = get(spec, "nodeSelector")
    if isinstance(selector, dict) and any(labels.get(key) != value for key, value in selector.items()):
        return False
    required = get(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    terms = _list(get(required, "nodeSelectorTerms"))
    if terms and not any(_term(each, node) for each in terms):
        return False
    taints = [each for each in _list(get(node, "spec", "taints")) if get(each, "effect") != "PreferNoSchedule"]
    if get(node, "spec", "unschedulable") is True:
        taints.append({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"})
    tolerations = _list(get(spec, "tolerations"))
    return all(any(_tolerates(one, taint) for one in tolerations) for taint in taints)


def _term(term: Any, node: Object) -> bool:
    expressions = _list(get(term, "matchExpressions"))
    fields = _list(get(term, "matchFields"))
    if not expressions and not fields:
        return False  # an empty term matches nothing
    name = {"metadata.name": str(node["metadata"]["name"])}
    return all(_meets(each, labels_of(node)) for each in expressions) and all(_meets(each, name) for each in fields)


def _meets(expression: Any, values: Mapping[str, str]) -> bool:
    key, operator, wanted = (get(expression, each) for each in ("key", "operator", "values"))
    have, listed = values.get(str(key)), [str(each) for each in _list(wanted)]
    if operator == "In":
        return bool(have in listed)
    if operator == "NotIn":
        return have not in listed
    if operator in ("Exists", "DoesNotExist"):
        return (str(key) in values) is (operator == "Exists")
    try:
        a, b = int(have or ""), int(listed[0])
    except (ValueError, IndexError):
        return False
    return (operator == "Gt" and a > b) or (operator == "Lt" and a < b)


def _tolerates(toleration: Any, taint: Any) -> bool:
    effect, key = get(toleration, "effect"), get(toleration, "key")
    if (effect and effect != get(taint, "effect")) or (key and key != get(taint, "key")):
        return False
    operator = get(toleration, "operator") or "Equal"
    same = (get(toleration, "value") or "") == (get(taint, "value") or "")
    return bool(operator == "Exists" or (key and same))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
