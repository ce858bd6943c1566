"""Which cluster-scoped objects a backup of namespaces needs to carry (design.md 4: what it needs around it)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.jsondoc.edit import values
from kubeferry.tasks.core.kube.label_selectors import Requirement, selects
from kubeferry.tasks.core.kube.objects import Ref, labels_of
from kubeferry.tasks.core.needs.references import RBAC, references

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object

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
            gathering[ref] = [requirements(each) for each in values(obj, "aggregationRule.clusterRoleSelectors[]")]
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


def requirements(selector: Any) -> list[Requirement]:
    """Return a label selector of the API (matchLabels, matchExpressions) as requirements.

    Raises:
        DamagedError: it is not one that an API server takes.
    """
    asked = selector if isinstance(selector, dict) else {}
    try:
        exact = [Requirement(key, "in", frozenset([value])) for key, value in (asked.get("matchLabels") or {}).items()]
        sets = [_expression(each) for each in asked.get("matchExpressions") or []]
    except (AttributeError, KeyError, TypeError) as error:
        raise DamagedError("a label selector in it cannot be read") from error
    return exact + sets


_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}


def _expression(expression: Mapping[str, Any]) -> Requirement:
    key, values = expression["key"], frozenset(expression.get("values") or ())
    if not isinstance(key, str):
        raise TypeError(key)
    return Requirement(key, _OPERATORS[expression["operator"]], values)


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
    accounts, spaces = bound_accounts(obj)
    return bool(spaces & namespaces) or any(each.namespace in namespaces for each in accounts)


def bound_accounts(binding: Object) -> tuple[frozenset[Ref], frozenset[str]]:
    """Return the accounts to which a RoleBinding or ClusterRoleBinding gives rights, and the namespaces whose all.

    An account is named as such or as the user that it is, a namespace's accounts by their group (kubernetes.io: RBAC,
    referring to subjects).
    """
    own = binding["metadata"].get("namespace", "")
    accounts: set[Ref] = set()
    spaces: set[str] = set()
    for subject in values(binding, "subjects[]"):
        name = subject.get("name") if isinstance(subject, dict) else None
        if not isinstance(name, str):
            continue
        parts = name.split(":")
        match subject.get("kind"), parts:
            case "ServiceAccount", _:
                accounts.add(Ref("", "ServiceAccount", str(subject.get("namespace") or own), name))
            case "User", ["system", "serviceaccount", namespace, account]:
                accounts.add(Ref("", "ServiceAccount", namespace, account))
            case "Group", ["system", "serviceaccounts", namespace]:
                spaces.add(namespace)
    return frozenset(accounts), frozenset(spaces)
