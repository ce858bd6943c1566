"""Strategic merge patch for built-in kinds: lists are merged by the key of their items.

Source: the tags patchStrategy and patchMergeKey of k8s.io/api v0.36. Of the directives, `$patch: delete|replace|merge`
is supported. The others are refused, and so are custom resources, for which API servers refuse such a patch as well.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from kubeferry.tasks.core.jsondoc.patch import PatchError

_POD_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "resourceClaims": "name",
    "schedulingGates": "name",
}
"""Lists in a pod template → the merge key of their items."""

PORTS = "ports"
PORT_KEYS = {"Service": "port"}
"""The merge key of `ports`, by kind; in a container it is containerPort."""

TOP_KEYS = {"secrets": "name", "imagePullSecrets": "name", "ownerReferences": "uid"}
PRIMITIVE = {"finalizers"}
"""Lists of plain values that are merged as sets."""

DIRECTIVE = "$patch"


def strategic_merge(value: Any, patch: Any, kind: str) -> Any:
    """Return an object of a built-in kind, merged with a patch.

    Raises:
        PatchError: a directive is not supported, or an item of a list has no merge key.
    """
    return _map(value if isinstance(value, dict) else {}, patch, kind)


def _map(value: dict[str, Any], patch: dict[str, Any], kind: str) -> Any:
    directive = patch.get(DIRECTIVE, "merge")
    unknown = [key for key in patch if key.startswith("$") and key != DIRECTIVE]
    if unknown or directive not in ("merge", "replace", "delete"):
        raise PatchError(f"the directive {unknown[0] if unknown else f'{DIRECTIVE}: {directive}'} is not supported")
    rest = {key: new for key, new in patch.items() if key != DIRECTIVE}
    if directive == "replace":
        return deepcopy(rest)
    if directive == "delete":
        return {}
    merged = dict(value)
    for key, new in rest.items():
        if new is None:
            merged.pop(key, None)
        elif isinstance(new, dict):
            old = merged.get(key)
            merged[key] = _map(old if isinstance(old, dict) else {}, new, kind)
        elif isinstance(new, list):
            old = merged.get(key)
            merged[key] = _list(old if isinstance(old, list) else [], new, key, kind)
        else:
            merged[key] = new
    return merged


def _list(value: list[Any], patch: list[Any], field: str, kind: str) -> list[Any]:
    if field in PRIMITIVE:
        return [*value, *(each for each in patch if each not in value)]
    named = _key(field, kind)
    if named is None:
        return deepcopy(patch)
    if {DIRECTIVE: "replace"} in patch:
        return [deepcopy(each) for each in patch if each != {DIRECTIVE: "replace"}]
    merged = list(value)
    for each in patch:
        if not isinstance(each, dict) or named not in each:
            raise PatchError(f"an item of {field} has no {named}, its merge key")
        index = next((n for n, old in enumerate(merged) if _same(old, each, named)), None)
        if each.get(DIRECTIVE) == "delete":
            merged = [old for n, old in enumerate(merged) if n != index]
        elif index is None:
            merged.append(_map({}, each, kind))
        else:
            merged[index] = _map(merged[index], each, kind)
    return merged


def _same(old: Any, new: dict[str, Any], key: str) -> bool:
    return isinstance(old, dict) and old.get(key) == new[key]


def _key(field: str, kind: str) -> str | None:
    if field == PORTS:
        return PORT_KEYS.get(kind, "containerPort")
    return TOP_KEYS.get(field) or _POD_KEYS.get(field)
