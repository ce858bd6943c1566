"""Load the sample shop from its YAML files, for any namespace. Installs nothing and asks no cluster.

The files are in no useful order (a custom resource comes before its CRD): install.py derives the order, and fills in
the uid of an owner, which is not known before that owner exists.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.core.kube.objects import Ref, owners_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeferry.tasks.core.jsondoc.edit import Object

HOME = "shop"
"""The namespace in the files."""

FOLDER = Path(__file__).parent


def objects(namespace: str = HOME) -> list[Object]:
    """Return all objects of the sample in the order of its files, each as a new structure.

    Another `namespace` than `shop` replaces it wherever the sample names it. Of cluster-wide objects and values, the
    ClusterRoleBinding gets another name and the fixed node port is left to the cluster; CRDs, classes and the
    ClusterRole are the same for all namespaces. Owner references have no uid: see `linked`.
    """
    files = sorted(FOLDER.rglob("*.yaml"), key=lambda file: file.name)
    loaded = [obj for file in files for obj in _load(file)]
    return [_named(_rewritten(obj, namespace), namespace) for obj in loaded]


def linked(obj: Object, uid_of: Callable[[Ref], str]) -> Object:
    """Return `obj` with the uid of each owner, from `uid_of`; an object without owner is returned as it is."""
    if not owners_of(obj):
        return obj
    owners = [owner | {"uid": uid_of(owner_ref(obj, owner))} for owner in owners_of(obj)]
    return obj | {"metadata": obj["metadata"] | {"ownerReferences": owners}}


def owner_ref(obj: Object, owner: dict[str, Any]) -> Ref:
    """Return the Ref of one owner of `obj`; all owners in the sample are in the namespace of their dependents."""
    return Ref(group_of(owner["apiVersion"]), owner["kind"], obj["metadata"]["namespace"], owner["name"])


def _load(file: Path) -> list[Object]:
    with file.open(encoding="utf-8") as text:
        return [obj for obj in yaml.load_all(text, yaml.CSafeLoader) if obj]


def _rewritten(value: Any, namespace: str, key: str = "") -> Any:
    """Return a copy of `value` with another namespace, wherever a field or a DNS name has the shop's."""
    if isinstance(value, dict):
        kept = value if namespace == HOME else {name: each for name, each in value.items() if name != "nodePort"}
        return {name: _rewritten(each, namespace, name) for name, each in kept.items()}
    if isinstance(value, list):
        return [_rewritten(each, namespace) for each in value]
    if not isinstance(value, str):
        return value
    if key in {"namespace", "kubernetes.io/metadata.name"} and value == HOME:
        return namespace
    if value == f"system:serviceaccounts:{HOME}":
        return f"system:serviceaccounts:{namespace}"
    return value.replace(f".{HOME}.svc", f".{namespace}.svc")


def _named(obj: Object, namespace: str) -> Object:
    """Return `obj` with its name in the sample of `namespace`."""
    if obj["kind"] == "Namespace":
        name = namespace
    elif obj["kind"] == "ClusterRoleBinding":
        name = obj["metadata"]["name"].replace(HOME, namespace, 1)
    else:
        return obj
    return obj | {"metadata": obj["metadata"] | {"name": name}}
