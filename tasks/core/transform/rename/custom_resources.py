"""Find namespaces in custom resources, whose schemas are unknown, by the shape of references only.

A `namespace` alone may be anything (Vault's, CloudWatch's, a metric's prefix). It is a reference if the object next to
it is in the backup: `{namespace, name}`, `{secretNamespace, secretName}`, the `metadata` of an embedded object, or if
the kind next to it is Namespace. The fields in `KEYS` mean nothing else. The status and the metadata of the resource
itself are not looked at here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import get, group_of
from kubeferry.tasks.core.kube.kinds import is_built_in
from kubeferry.tasks.core.transform.rename.api_fields import GATEWAY, items, selector_hits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object, Place
    from kubeferry.tasks.core.transform.rename.classes import Case, Hit

KEYS = frozenset(
    {
        "namespaces",
        "namespaceNames",
        "targetNamespace",
        "targetNamespaces",
        "sourceNamespace",
        "sourceNamespaces",
        "watchNamespace",
        "watchNamespaces",
        "includedNamespaces",
        "excludedNamespaces",
        "storageNamespace",
        "releaseNamespace",
        "installNamespace",
        "serviceNamespace",
        "secretNamespace",
        "configMapNamespace",
        "podNamespace",
        "gatewayNamespace",
        "matchNamespaces",
    }
)
"""Fields of known products (Flux, OLM, Argo CD, Prometheus, Velero, Istio, Kyverno…) that hold the name of a namespace.

`*Namespace` in general is not here: `xmlNamespace`, `metricsNamespace` and `vaultNamespace` are not Kubernetes
namespaces.
"""

IN_CLUSTER = frozenset({"", "in-cluster", "https://kubernetes.default.svc", "*"})
"""How an Argo CD destination refers to its own cluster."""


def custom(obj: Object, case: Case) -> Iterator[Hit]:
    """Yield the places of a custom resource that name a namespace; empty for Kubernetes' own kinds."""
    group = group_of(obj["apiVersion"])
    if is_built_in(group):
        return
    for key, value in obj.items():
        if key not in ("apiVersion", "kind", "metadata", "status") and not (group == GATEWAY and key != "spec"):
            yield from _visit(value, (key,), case)


def _visit(value: Any, at: Place, case: Case) -> Iterator[Hit]:
    if isinstance(value, dict):
        yield from _in_map(value, at, case)
        for key, item in value.items():
            yield from _visit(item, (*at, key), case)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _visit(item, (*at, index), case)


def _in_map(value: dict[str, Any], at: Place, case: Case) -> Iterator[Hit]:
    for key, item in value.items():
        hit = None
        if key in KEYS:
            hit = case.whole((*at, key), item, "namespaces")
            yield from items(item, (*at, key), case, "namespaces")
        elif key == "namespaceSelector":
            yield from selector_hits(item, (*at, key), case)
            yield from items(get(item, "matchNames"), (*at, key, "matchNames"), case, "selector")
        elif _is_reference(value, str(key), item, at, case):
            hit = case.whole((*at, key), item, "reference")
        if hit:
            yield hit


def _destination(value: dict[str, Any]) -> tuple[Any, Any]:
    return value.get("server"), value.get("name")


def _is_reference(value: dict[str, Any], key: str, item: Any, at: Place, case: Case) -> bool:
    """Return whether `item`, under `key` of `value`, names a namespace, judged by the fields next to it."""
    if key == "name":
        return value.get("kind") == "Namespace" and value.get("apiGroup", value.get("apiVersion", "")) in ("", "v1")
    if key.endswith("Namespace"):
        return case.known.has(item, value.get(key.removesuffix("Namespace") + "Name"))
    if key != "namespace":
        return False
    owner = next((step for step in reversed(at) if isinstance(step, str)), "")
    if owner in ("destination", "destinations") and ("server" in value or value.get("name") == "in-cluster"):
        return all(each is None or (isinstance(each, str) and each in IN_CLUSTER) for each in _destination(value))
    beside = [each for name, each in value.items() if name == "name" or name.endswith("Name")]
    return owner == "metadata" or any(case.known.has(item, each) for each in beside)
