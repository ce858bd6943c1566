"""Which cluster-scoped objects a backup of namespaces needs to carry (design.md 4: what it needs around it)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.core.objects import Object, Ref, labels_of
from tasks.core.references import RBAC, references, values
from tasks.core.selection import Requirement, selects

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")


@dataclass(frozen=True, slots=True)
class Needs:
    """What the namespaces of a backup need: their kinds' definitions, and objects that their fields name."""

    namespaces: frozenset[str]
    kinds: frozenset[tuple[str, str]]
    objects: frozenset[Ref]


def related(candidates: Iterable[Object], needs: Needs) -> frozenset[Ref]:
    """Return which of the cluster-scoped `candidates` are needed, also by one another."""
    named: dict[Ref, list[Ref]] = {}
    wanted: list[Ref] = []
    roles: dict[Ref, Mapping[str, str]] = {}
    gathering: dict[Ref, list[list[Requirement]]] = {}
    for obj in candidates:
        ref = Ref.of(obj)
        named[ref] = [each.target for each in references(obj)]
        if (ref.group, ref.kind) == (RBAC, "ClusterRole"):
            roles[ref] = labels_of(obj)
            gathering[ref] = [_requirements(each) for each in values(obj, "aggregationRule.clusterRoleSelectors[]")]
        if ref in needs.objects or _defines(obj, needs.kinds) or _binds(obj, needs.namespaces):
            wanted.append(ref)
    for ref, selectors in gathering.items():  # its rules are those of the roles that its selectors match
        named[ref] += [role for role, labels in roles.items() if any(selects(each, labels) for each in selectors)]
    found: set[Ref] = set()
    while wanted:
        ref = wanted.pop()
        if ref in named and ref not in found:
            found.add(ref)
            wanted += named[ref]
    return frozenset(found)


def _requirements(selector: Any) -> list[Requirement]:
    """Return a label selector of the API as requirements."""
    ops = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}
    asked = selector if isinstance(selector, dict) else {}
    exact = [Requirement(key, "in", frozenset([value])) for key, value in (asked.get("matchLabels") or {}).items()]
    return exact + [
        Requirement(each["key"], ops[each["operator"]], frozenset(each.get("values") or ()))
        for each in asked.get("matchExpressions") or []
    ]


def _defines(obj: Object, kinds: frozenset[tuple[str, str]]) -> bool:
    if Ref.of(obj).kind != CRD[1]:
        return False
    spec = obj["spec"]
    return (spec["group"], spec["names"]["kind"]) in kinds


def _binds(obj: Object, namespaces: frozenset[str]) -> bool:
    """Return whether a ClusterRoleBinding gives rights to an account of these namespaces."""
    ref = Ref.of(obj)
    if (ref.group, ref.kind) != (RBAC, "ClusterRoleBinding"):
        return False
    return any(
        (subject.get("kind") == "ServiceAccount" and subject.get("namespace") in namespaces)
        or _namespace_in(subject.get("name")) in namespaces
        for subject in obj.get("subjects") or []
    )


def _namespace_in(name: Any) -> str:
    """Return the namespace that a group's or user's name spells (kubernetes.io: RBAC, referring to subjects), or ""."""
    parts = name.split(":") if isinstance(name, str) else []
    match parts:
        case ["system", "serviceaccounts", namespace] | ["system", "serviceaccount", namespace, _]:
            return namespace
        case _:
            return ""
