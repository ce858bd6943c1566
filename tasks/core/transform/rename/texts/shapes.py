"""Find namespaces in a value of no known schema, by the shape of references only: a custom resource, or a document.

A `namespace` alone may be anything (Vault's, CloudWatch's, a metric's prefix). It is a reference if the object next to
it is in the backup: `{namespace, name}`, `{secretNamespace, secretName}`, `{namespace, host}`; the `metadata` of an
embedded object; beside a name and a kind of Kubernetes; and below `kubernetes`. Keys that end in `Namespace` mean one
of Kubernetes, but for those that keys.py excludes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.transform.rename.api_fields import LABEL, items
from kubeferry.tasks.core.transform.rename.classes import Hit
from kubeferry.tasks.core.transform.rename.dns_names import replaced, uses
from kubeferry.tasks.core.transform.rename.keys import is_about_kubernetes, means_namespace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeferry.tasks.core.jsondoc.edit import Place
    from kubeferry.tasks.core.transform.rename.classes import Case

_LISTS = frozenset({"namespaces", "namespaceNames", "matchNamespaces", "exportTo"})
"""Fields of known products (Flux, OLM, Argo CD, Prometheus, Velero, Istio, Kyverno…) that list namespaces."""

_NAMES = ("names", "matchNames", "include", "exclude", "included", "excluded")
"""Lists of namespaces below `namespaces` or a selector of them (Prometheus, OpenTelemetry)."""

_LABELS = frozenset({"io.kubernetes.pod.namespace", "k8s:io.kubernetes.pod.namespace", "k8s.namespace.name"})
"""Labels of a pod, as Cilium and OpenTelemetry see it, that hold its namespace."""

_OBJECT_SELECTORS = frozenset({"selector", "podSelector", "objectSelector", "labels"})
"""What selects objects that are no namespaces: a label of that name is any label there."""

_BESIDE = frozenset(
    {
        *("host", "service", "svc", "secret", "configmap", "pod", "serviceaccount"),
        *("deployment", "statefulset", "daemonset"),
    }
)
"""Fields, in lower case, that hold the name of an object beside the namespace that it is in; and `name`, `…Name`."""

_KINDS = frozenset(
    {
        *("ConfigMap", "Secret", "Service", "ServiceAccount", "Pod", "PersistentVolumeClaim", "Endpoints"),
        *("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Ingress", "NetworkPolicy"),
        *("Role", "RoleBinding"),
    }
)
"""Kinds of Kubernetes: a namespace beside one of these, and a name, is the object's."""

_API_VERSION = re.compile(r"(?:[a-z0-9.-]+/)?v[0-9]+(?:(?:alpha|beta)[0-9]+)?", re.ASCII)
_REF = re.compile(r"\w+(?:Refs?|References?)", re.ASCII)

_AVRO = frozenset({"record", "enum", "fixed", "error"})
"""Types of a schema of Avro, whose namespace is one of names."""

_META_LABEL = "__meta_kubernetes_namespace"
"""The namespace of a target of Prometheus' service discovery (Prometheus: kubernetes_sd_config)."""

_KUSTOMIZE = "kustomize.config.k8s.io/"

IN_CLUSTER = frozenset({"", "in-cluster", "https://kubernetes.default.svc", "*"})
"""How an Argo CD destination refers to its own cluster."""


def visit(value: Any, at: Place, case: Case) -> Iterator[Hit]:
    """Yield the places of a value that name a namespace; `at` is its own place."""
    if isinstance(value, dict):
        yield from _in_map(value, at, case)
        for key, item in value.items():
            yield from visit(item, (*at, key), case)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from visit(item, (*at, index), case)


Rule = Callable[[dict[str, Any], Any, "Place", "Case"], Iterator[Hit]]
"""Takes a map, the value of one of its keys, the place of that value (it ends with the key), and the case."""


def _in_map(value: dict[str, Any], at: Place, case: Case) -> Iterator[Hit]:
    for key, item in value.items():
        yield from _rule_of(str(key))(value, item, (*at, key), case)


@lru_cache(maxsize=4096)
def _rule_of(key: str) -> Rule:
    """Return how to judge the value of a key."""
    if key in _BY_KEY:
        return _BY_KEY[key]
    if key in _LISTS or means_namespace(key):
        return _namespaces
    return _selector if key.endswith("amespaceSelector") else _reference


def _namespaces(_fields: dict[str, Any], item: Any, at: Place, case: Case) -> Iterator[Hit]:
    yield from _one(case.whole(at, item, "namespaces"))
    yield from items(item, at, case, "namespaces")
    for name in _NAMES if isinstance(item, dict) else ():
        yield from items(item.get(name), (*at, name), case, "namespaces")


def _selector(_fields: dict[str, Any], item: Any, at: Place, case: Case) -> Iterator[Hit]:
    """Yield from a selector of namespaces; its labels are judged where they stand."""
    for name in _NAMES if isinstance(item, dict) else ():
        yield from items(item.get(name), (*at, name), case, "selector")


def _label(_fields: dict[str, Any], item: Any, at: Place, case: Case) -> Iterator[Hit]:
    if at[-1] in _LABELS or _selects_namespaces(at[:-1]):
        yield from _one(case.whole(at, item, "selector"))


def _requirement(fields: dict[str, Any], item: Any, at: Place, case: Case) -> Iterator[Hit]:
    """Yield from `{key: kubernetes.io/metadata.name, operator: In, values: […]}`."""
    if isinstance(item, str) and (item in _LABELS or (item == LABEL and _selects_namespaces(at[:-1]))):
        yield from items(fields.get("values"), (*at[:-1], "values"), case, "selector")


def _selects_namespaces(at: Place) -> bool:
    """Return whether a label below `at` is one of namespaces, by the names above it."""
    above = [each for each in at if isinstance(each, str) and each not in ("matchLabels", "matchExpressions")]
    return bool(above) and above[-1] not in _OBJECT_SELECTORS


def _relabelling(fields: dict[str, Any], item: Any, at: Place, case: Case) -> Iterator[Hit]:
    """Yield the pattern of a relabelling that reads the namespace of a target, and nothing else."""
    if [_META_LABEL] in (fields.get("source_labels"), fields.get("sourceLabels")):
        yield from _one(case.whole(at, item, "selector"))


def _hosts(_fields: dict[str, Any], item: Any, at: Place, case: Case) -> Iterator[Hit]:
    """Yield Istio's `namespace/host` of Gateways and Sidecars: `shop/*`, `shop/web.shop.svc.cluster.local`."""
    for index, host in enumerate(item if isinstance(item, list) else ()):
        namespace, _, name = host.partition("/") if isinstance(host, str) else ("", "", "")
        if namespace in case.names and (name == "*" or ("." in name and "/" not in name)):
            inner = replaced(name, list(uses(name, case.hosts, key="host")), case.names)
            new = f"{case.names[namespace]}/{inner}"
            yield Hit((*at, index), "namespaces", host, new, new)


def _one(hit: Hit | None) -> tuple[Hit, ...]:
    return () if hit is None else (hit,)


def _destination(value: dict[str, Any]) -> tuple[Any, Any]:
    return value.get("server"), value.get("name")


def _reference(fields: dict[str, Any], item: Any, at: Place, case: Case) -> Iterator[Hit]:
    """Yield a value that names a namespace, judged by the fields next to it."""
    if isinstance(item, str) and item in case.names and _is_reference(fields, str(at[-1]), item, at[:-1], case):
        yield from _one(case.whole(at, item, "reference"))


def _is_reference(fields: dict[str, Any], key: str, item: str, at: Place, case: Case) -> bool:
    if key == "name":
        return fields.get("kind") == "Namespace" and fields.get("apiGroup", fields.get("apiVersion", "")) in ("", "v1")
    if key.endswith("Namespace"):  # of another meaning than Kubernetes', by its name
        return case.known.has(item, fields.get(key.removesuffix("Namespace") + "Name"))
    if key != "namespace" or str(fields.get("type")) in _AVRO:
        return False
    above = [each for each in at if isinstance(each, str)][-2:]
    if above[-1:] in (["destination"], ["destinations"]) and ("server" in fields or fields.get("name") == "in-cluster"):
        return all(each is None or (isinstance(each, str) and each in IN_CLUSTER) for each in _destination(fields))
    return _is_certain(fields, above) or any(
        case.known.has(item, each) for name, each in fields.items() if _holds_a_name(str(name))
    )


def _is_certain(fields: dict[str, Any], above: list[str]) -> bool:
    """Return whether `namespace` in a map is one of Kubernetes, whatever the backup has."""
    named = isinstance(fields.get("name"), str)
    of_object = above[-1:] == ["metadata"] or (named and _is_object_reference(fields, above))
    of_kubeconfig = above[-1:] == ["context"] and {"cluster", "user"} <= fields.keys()
    of_kustomize = str(fields.get("apiVersion")).startswith(_KUSTOMIZE)
    of_kubernetes = any(map(is_about_kubernetes, (*above, str(fields.get("type")), str(fields.get("provider")))))
    return of_object or of_kubeconfig or of_kustomize or of_kubernetes


def _is_object_reference(fields: dict[str, Any], above: list[str]) -> bool:
    """Return whether a map refers to an object: by a kind of Kubernetes, by a kind and its API, or under `…Ref`.

    Source: API conventions of Kubernetes, "Object references": fields of references are named `{field}Ref`.
    """
    kind = str(fields.get("kind"))
    typed = kind[:1].isupper() and _API_VERSION.fullmatch(str(fields.get("apiVersion"))) is not None
    return kind in _KINDS or typed or bool(above and _REF.fullmatch(above[-1]))


def _holds_a_name(key: str) -> bool:
    return key == "name" or key.endswith("Name") or key.lower() in _BESIDE


_BY_KEY: Mapping[str, Rule] = {
    LABEL: _label,
    **dict.fromkeys(_LABELS, _label),
    "key": _requirement,
    "regex": _relabelling,
    "hosts": _hosts,
}
"""Key → its rule, where it is none of an ending."""
