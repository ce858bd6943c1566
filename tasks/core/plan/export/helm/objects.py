"""What of an object becomes a value of the chart, by kind; the input is not changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import change, get
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.references import POD_SPEC, POD_SPEC_AT, TABLE
from kubeferry.tasks.core.plan.export.helm.values import Values, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.plan.export.helm.text import Template

SCALED = frozenset(
    {("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "ReplicaSet"), ("", "ReplicationController")}
)
LISTS = ("initContainers", "containers")

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
            ("networking.k8s.io", "Ingress"): self._ingress,
        }
        obj = rules[kind](obj, ref) if kind in rules else obj
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

    def _ingress(self, obj: Object, ref: Ref) -> Object:
        at = ("ingresses", key_of(ref.name))
        self._values.note(("ingresses",), "Ingresses, by name.")
        path = ("spec", "ingressClassName")
        obj = change(obj, path, lambda old: self._value((*at, "className"), old))
        hosts = [host for host in dict.fromkeys(get(rule, "host") for rule in _list(get(obj, "spec", "rules"))) if host]
        names = {host: self._host(at, number, host) for number, host in enumerate(hosts)}
        obj = change(obj, ("spec", "rules"), lambda old: [_hosted(each, names) for each in old])
        return change(obj, ("spec", "tls"), lambda old: [_certified(each, names) for each in old])

    def _host(self, at: tuple[str, ...], number: int, host: str) -> str:
        return self._value((*at, "hosts", f"host{number}" if number else "host"), host)

    def _secret_names(self, obj: Object, kind: tuple[str, str]) -> Object:
        for path in _secret_paths(kind):
            obj = _replaced(obj, path.split("."), self._secret_name)
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


def _hosted(rule: Any, names: dict[str, str]) -> Any:
    return rule | {"host": names[rule["host"]]} if get(rule, "host") in names else rule


def _certified(entry: Any, names: dict[str, str]) -> Any:
    hosts = get(entry, "hosts")
    return entry | {"hosts": [names.get(host, host) for host in hosts]} if isinstance(hosts, list) else entry


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _secret_paths(kind: tuple[str, str]) -> Iterator[str]:
    """Yield the paths of fields that name a Secret, from the table of references."""
    if kind in POD_SPEC_AT:
        yield from (f"{POD_SPEC_AT[kind]}.{path}" for path, _, target in POD_SPEC if target == "Secret")
    yield from (path for path, _, target in TABLE.get(kind, ()) if target == "Secret")


def _replaced(value: Any, path: list[str], edit: Callable[[Any], Any]) -> Any:
    """Return a value with `edit` applied to what is at a path; `[]` after a key is each item of its list."""
    if not path:
        return edit(value)
    key, each = path[0].removesuffix("[]"), path[0].endswith("[]")
    if not isinstance(value, dict) or key not in value:
        return value
    old = value[key]
    if each:
        new = [_replaced(item, path[1:], edit) for item in old] if isinstance(old, list) else old
    else:
        new = _replaced(old, path[1:], edit)
    return value | {key: new}
