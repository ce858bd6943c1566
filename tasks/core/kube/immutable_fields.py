"""Which fields cannot be updated: built-in kinds by a table, custom resources by the rules of their CRD.

Source: the ValidateUpdate functions of Kubernetes 1.36 (pkg/apis/*/validation) and its API reference; for custom
resources the CEL transition rules (kubernetes.io: CustomResourceDefinition validation rules).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import Object, group_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ALL_BUT: Mapping[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    ("", "Pod"): ("spec", ("activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations")),
    ("", "PersistentVolumeClaim"): ("spec", ("resources", "volumeAttributesClassName")),
    ("apps", "StatefulSet"): (
        "spec",
        (
            "minReadySeconds",
            "ordinals",
            "persistentVolumeClaimRetentionPolicy",
            "replicas",
            "revisionHistoryLimit",
            "template",
            "updateStrategy",
        ),
    ),
    ("batch", "Job"): (
        "spec",
        (
            "activeDeadlineSeconds",
            "backoffLimit",
            "completions",
            "parallelism",
            "suspend",
            "ttlSecondsAfterFinished",
        ),
    ),
    ("resource.k8s.io", "ResourceClaim"): ("spec", ()),
    ("resource.k8s.io", "ResourceClaimTemplate"): ("spec", ()),
    ("apps", "ControllerRevision"): ("data", ()),
}
"""(group, kind) → the part that is immutable, and the fields in it that are mutable."""

FROZEN: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", "PersistentVolume"): ("spec.csi", "spec.nfs", "spec.hostPath", "spec.local", "spec.iscsi", "spec.volumeMode"),
    ("", "ResourceQuota"): ("spec.scopes",),
    ("", "Secret"): ("type",),
    ("", "Service"): ("spec.clusterIP", "spec.clusterIPs"),
    ("apps", "DaemonSet"): ("spec.selector",),
    ("apps", "Deployment"): ("spec.selector",),
    ("apps", "ReplicaSet"): ("spec.selector",),
    ("discovery.k8s.io", "EndpointSlice"): ("addressType",),
    ("networking.k8s.io", "IngressClass"): ("spec.controller",),
    ("node.k8s.io", "RuntimeClass"): ("handler",),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("scheduling.k8s.io", "PriorityClass"): ("value", "preemptionPolicy"),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"),
}
"""(group, kind) → the parts that are immutable."""

_CONTAINERS = ("containers", "initContainers")


def can_freeze(kind: tuple[str, str]) -> bool:
    """Return whether objects of a (group, kind) may have immutable fields, according to the tables."""
    return kind in FROZEN or kind in ALL_BUT or kind in (("", "ConfigMap"), ("", "Secret"))


def freezes(obj: Object, steps: Sequence[str]) -> bool:
    """Return whether the part of `obj` at `steps` (of a JSON pointer) is immutable once `obj` exists."""
    kind = (group_of(obj["apiVersion"]), obj["kind"])
    if obj.get("immutable") is True and kind in (("", "ConfigMap"), ("", "Secret")):
        return steps[0] in ("data", "binaryData", "stringData", "immutable")
    where = ".".join(steps)
    if any(where == part or where.startswith(f"{part}.") for part in FROZEN.get(kind, ())):
        return True
    part, free = ALL_BUT.get(kind, ("", ()))
    if steps[0] != part:
        return False
    return not (steps[1:2] and steps[1] in free) and not _is_image(kind, steps)


def _is_image(kind: tuple[str, str], steps: Sequence[str]) -> bool:
    """Return whether this is a container's image, the only mutable field of a Pod's containers."""
    return kind == ("", "Pod") and len(steps) > 1 and steps[1] in _CONTAINERS and steps[-1] == "image"


@dataclass(frozen=True, slots=True)
class FieldRules:
    """What a CRD's schema says about one field."""

    required: bool
    """The field, or a map on the way to it, cannot be omitted without making its parent invalid."""
    frozen: bool
    """A rule makes the field, or a parent of it, immutable."""


_SAME = re.compile(
    r"(?<![\w.])self((?:\.\w+)*)\s*==\s*oldSelf\1(?![\w.])|(?<![\w.])oldSelf((?:\.\w+)*)\s*==\s*self\2(?![\w.])"
)


def required_or_frozen(schema: Mapping[str, Any], steps: Sequence[str]) -> FieldRules:
    """Return what an openAPIV3Schema says about the field at `steps`; an unknown field is neither."""
    node: Any = schema
    required = frozen = False
    for depth, step in enumerate(steps):
        if not isinstance(node, dict):
            return FieldRules(required, frozen)
        for rule in _transition_rules(node, steps[depth:]):
            # `has(oldSelf.x)` allows a field to be added later; without it the rule fails on a new field.
            frozen, required = True, required or "has(oldSelf" not in rule
        last = depth == len(steps) - 1
        required = required or (last and ("items" in node or step in (node.get("required") or ())))
        node = _below(node, step)
    # A transition rule on the field itself is not evaluated when the field is new (KEP-2876).
    return FieldRules(required, frozen or (isinstance(node, dict) and any(_transition_rules(node, ()))))


def _transition_rules(node: Mapping[str, Any], ahead: Sequence[str]) -> Iterator[str]:
    """Yield the rules at `node` that require it, or a field in it along `ahead`, to keep its old value."""
    rules = node.get("x-kubernetes-validations")
    for each in rules if isinstance(rules, list) else ():
        rule = str(each.get("rule", "")) if isinstance(each, dict) else ""
        ways = [(match[1] or match[2] or "").split(".")[1:] for match in _SAME.finditer(rule)]
        if any(list(ahead[: len(way)]) == way for way in ways):
            yield rule


def _below(node: Mapping[str, Any], step: str) -> Any:
    if isinstance(node.get("items"), dict):
        return node["items"]
    known = node.get("properties")
    return known[step] if isinstance(known, dict) and step in known else node.get("additionalProperties")
