"""What of an object becomes a value of the chart, by kind; the input is not changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import change, get, parse_path
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.references.fields import POD_SPEC, POD_SPEC_AT, TABLE
from kubeferry.tasks.core.plan.export.helm.values import Values, key_of
from kubeferry.tasks.core.plan.export.hosts import HOSTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.plan.export.helm.text import Template

SCALED = frozenset(
    {("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "ReplicaSet"), ("", "ReplicationController")}
)
LISTS = ("initContainers", "containers")

CLASSES: Mapping[tuple[str, str], tuple[str, str]] = {
    ("networking.k8s.io", "Ingress"): ("ingressClassName", "className"),
    ("gateway.networking.k8s.io", "Gateway"): ("gatewayClassName", "className"),
}
"""Kind → the field of its spec that names its class, and the value for it."""

OPTIONAL = (
    ("networking.k8s.io", "Ingress"),
    ("networking.k8s.io", "NetworkPolicy"),
    ("policy", "PodDisruptionBudget"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("", "ResourceQuota"),
    ("", "LimitRange"),
    ("batch", "CronJob"),
)
"""Kinds without which the application still runs: each has a switch."""


class Parameters:
    """Replaces what people change by values; `secrets` are the names of the chart's Secrets."""

    def __init__(self, template: Template, values: Values, names: Iterable[Ref], secrets: Iterable[str]) -> None:
        """Take the writer, the values to fill, the objects of the chart, and the names of its Secrets with content."""
        self._template, self._values = template, values
        known = list(names)
        self.secrets = set(secrets)
        workloads = [ref.name for ref in known if (ref.group, ref.kind) in POD_SPEC_AT]
        self._twice = {name for name in workloads if workloads.count(name) > 1}

    def of(self, obj: Object) -> Object:
        """Return an object whose values are marks of the template."""
        ref = Ref.of(obj)
        kind = (ref.group, ref.kind)
        if kind in POD_SPEC_AT:
            obj = self._workload(obj, ref, kind)
        rules: dict[tuple[str, str], Callable[[Object, Ref], Object]] = {
            ("", "Service"): self._service,
            ("", "PersistentVolumeClaim"): self._claim,
        }
        obj = rules[kind](obj, ref) if kind in rules else obj
        obj = self._entrance(obj, ref, kind) if kind in HOSTS else obj
        return self._secret_names(obj, kind)

    def _value(self, path: tuple[str, ...], default: Any, comment: str = "") -> str:
        return self._template.action(self._values.add(path, default, comment))

    def _workload(self, obj: Object, ref: Ref, kind: tuple[str, str]) -> Object:
        name = f"{ref.name}-{ref.kind.lower()}" if ref.name in self._twice else ref.name
        at = ("workloads", key_of(name))
        self._values.note(("workloads",), "What runs, by name.")
        self._values.note(at, f"{ref.kind} {ref.name}")
        if kind in SCALED and isinstance(get(obj, "spec", "replicas"), int):
            obj = change(obj, ("spec", "replicas"), lambda old: self._value((*at, "replicas"), old))
        where = tuple(POD_SPEC_AT[kind].split("."))
        for field in ("priorityClassName", "runtimeClassName"):
            obj = change(obj, (*where, field), lambda old, field=field: self._value((*at, field), old))  # type: ignore[misc] # mypy cannot type the default
        for some in LISTS:
            obj = change(obj, (*where, some), lambda old: self._containers(old, at))
        return change(obj, ("spec", "volumeClaimTemplates"), lambda old: self._claims(old, at))

    def _containers(self, containers: Any, at: tuple[str, ...]) -> Any:
        return [self._container(each, at) for each in containers] if isinstance(containers, list) else containers

    def _container(self, container: Any, at: tuple[str, ...]) -> Any:
        if not isinstance(container, dict) or not isinstance(container.get("name"), str):
            return container
        at = (*at, "containers", key_of(container["name"]))
        container = change(container, ("image",), lambda old: self._value((*at, "image"), old))
        return change(container, ("resources",), lambda old: self._value((*at, "resources"), old))

    def _claims(self, claims: Any, at: tuple[str, ...]) -> Any:
        if not isinstance(claims, list):
            return claims
        return [self._storage(each, (*at, "claims", key_of(str(get(each, "metadata", "name"))))) for each in claims]

    def _claim(self, obj: Object, ref: Ref) -> Object:
        self._values.note(("claims",), "PersistentVolumeClaims, by name.")
        return self._storage(obj, ("claims", key_of(ref.name)))

    def _storage(self, claim: Object, at: tuple[str, ...]) -> Object:
        claim = change(claim, ("spec", "storageClassName"), lambda old: self._value((*at, "storageClassName"), old))
        size = ("spec", "resources", "requests", "storage")
        return change(claim, size, lambda old: self._value((*at, "size"), old))

    def _service(self, obj: Object, ref: Ref) -> Object:
        at = ("services", key_of(ref.name))
        kind = get(obj, "spec", "type") or "ClusterIP"
        if kind not in ("NodePort", "LoadBalancer"):
            return obj
        self._values.note(("services",), "Services that are reached from outside, by name.")
        reading = self._values.add((*at, "type"), kind)
        obj = change(obj, ("spec", "type"), lambda _: self._template.action(reading))
        return change(obj, ("spec", "ports"), lambda old: [self._port(each, at, reading) for each in old])

    def _port(self, port: Any, at: tuple[str, ...], kind: str) -> Any:
        if not isinstance(port, dict) or not port.get("nodePort"):
            return port
        name = key_of(str(port.get("name") or port.get("port")))
        comment = f"null: the cluster allocates one; it was {port['nodePort']}"
        reading = self._values.add((*at, "nodePorts", name), None, comment)
        return port | {"nodePort": self._template.action(f'ternary nil {reading} (eq {kind} "ClusterIP")')}

    def _entrance(self, obj: Object, ref: Ref, kind: tuple[str, str]) -> Object:
        """Return an object through which others are reached, with its class and its host names as values."""
        at = (f"{ref.kind.lower()}{'es' if ref.kind.endswith('s') else 's'}", key_of(ref.name))
        self._values.note(at[:1], f"Objects of kind {ref.kind}, by name.")
        if kind in CLASSES:
            field, name = CLASSES[kind]
            obj = change(obj, ("spec", field), lambda old: self._value((*at, name), old))
        names: dict[str, str] = {}

        def named(host: Any) -> Any:
            if not isinstance(host, str) or not host:
                return host
            if host not in names:
                names[host] = self._value((*at, "hosts", f"host{len(names)}" if names else "host"), host)
            return names[host]

        for path in HOSTS[kind]:
            obj = change(obj, path, named)
        return obj

    def _secret_names(self, obj: Object, kind: tuple[str, str]) -> Object:
        for path in _secret_paths(kind):
            obj = change(obj, parse_path(path), self._secret_name)
        return obj

    def _secret_name(self, name: Any) -> Any:
        return self.secret_name(name) if isinstance(name, str) and name in self.secrets else name

    def secret_name(self, name: str) -> str:
        """Return the mark of the name of a Secret: the chart's, or an existing one."""
        existing = reading_of_secret(self._values, name)
        return self._template.action(f'{existing} | default "{name}"')


def reading_of_secret(values: Values, name: str) -> str:
    """Return the expression for the name of an existing Secret that stands for one of the chart."""
    values.note(("secrets",), "Secrets, by name: their values, or the name of an existing Secret with the same keys.")
    return values.add(("secrets", key_of(name), "existingSecret"), "")


def _secret_paths(kind: tuple[str, str]) -> Iterator[str]:
    """Yield the paths of fields that name a Secret, from the table of references."""
    if kind in POD_SPEC_AT:
        yield from (f"{POD_SPEC_AT[kind]}.{row.path}" for row in POD_SPEC if row.kind == "Secret")
    yield from (row.path for row in TABLE.get(kind, ()) if row.kind == "Secret" and not row.namespace)
