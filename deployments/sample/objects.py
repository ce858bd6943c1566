"""Load the sample shop from its YAML files, for any namespace. Installs nothing and asks no cluster.

The files stand in no order of need (a custom resource comes before its definition): finding the order is the
installer's business, and so is the uid of an owner, which is not known before that owner exists.
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
"""The namespace that is written in the files."""

FOLDER = Path(__file__).parent


def objects(namespace: str = HOME) -> list[Object]:
    """Return all objects of the sample in the order of its files, each a structure of its own.

    Another `namespace` than `shop` is written wherever the shop names its own. Of what a cluster has only once, the
    ClusterRoleBinding is renamed with the namespace and the fixed node port is left to the cluster; CRDs, classes and
    the ClusterRole are the same for all namespaces. Owner references come without uid: see `linked`.
    """
    loaded = [obj for file in sorted(FOLDER.glob("*.yaml")) for obj in _load(file)]
    return [_named(_rewritten(obj, namespace), namespace) for obj in loaded]


def linked(obj: Object, uid_of: Callable[[Ref], str]) -> Object:
    """Return `obj` with the uid of each owner filled in, as `uid_of` knows it; objects without owner as they are."""
    if not owners_of(obj):
        return obj
    owners = [owner | {"uid": uid_of(owner_ref(obj, owner))} for owner in owners_of(obj)]
    return obj | {"metadata": obj["metadata"] | {"ownerReferences": owners}}


def owner_ref(obj: Object, owner: dict[str, Any]) -> Ref:
    """Return the identity of one owner of `obj`; all owners in the sample live in the namespace of what they own."""
    return Ref(group_of(owner["apiVersion"]), owner["kind"], obj["metadata"]["namespace"], owner["name"])


def _load(file: Path) -> list[Object]:
    with file.open(encoding="utf-8") as text:
        return [obj for obj in yaml.load_all(text, yaml.CSafeLoader) if obj]


def _rewritten(value: Any, namespace: str, key: str = "") -> Any:
    """Return a copy of `value` in which the shop's namespace, wherever a field or a DNS name tells it, is another."""
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
    """Return `obj` with the name that it has in the sample of `namespace`."""
    if obj["kind"] == "Namespace":
        name = namespace
    elif obj["kind"] == "ClusterRoleBinding":
        name = obj["metadata"]["name"].replace(HOME, namespace, 1)
    else:
        return obj
    return obj | {"metadata": obj["metadata"] | {"name": name}}
