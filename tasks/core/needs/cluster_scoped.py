"""What the rules about objects outside of a namespace share: what namespaces need, label selectors, roles and accounts.

outside.py says which of these objects a backup carries. A selector that no API server would accept is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.jsondoc.edit import values
from kubeferry.tasks.core.kube.label_selectors import Requirement
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.references.fields import RBAC

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object

CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")


@dataclass(frozen=True, slots=True)
class Needs:
    """What the namespaces of a backup need: the CRDs of their kinds, and the objects that their fields name."""

    namespaces: frozenset[str]
    kinds: frozenset[tuple[str, str]]
    objects: Collection[Ref]
    users: Mapping[Ref, tuple[Ref, str]] = field(default_factory=dict)
    """Of `objects`, one that names it, and the path of the field."""


def requirements(selector: Any) -> list[Requirement]:
    """Return a LabelSelector (matchLabels, matchExpressions) as requirements.

    Raises:
        DamagedError: no API server would accept it.
    """
    terms = selector if isinstance(selector, dict) else {}
    try:
        exact = [Requirement(key, "in", frozenset([value])) for key, value in (terms.get("matchLabels") or {}).items()]
        sets = [_expression(each) for each in terms.get("matchExpressions") or []]
    except (AttributeError, KeyError, TypeError) as error:
        raise DamagedError("its label selector is invalid") from error
    return exact + sets


_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}


def _expression(expression: Mapping[str, Any]) -> Requirement:
    key, values = expression["key"], frozenset(expression.get("values") or ())
    if not isinstance(key, str):
        raise TypeError(key)
    return Requirement(key, _OPERATORS[expression["operator"]], values)


def bound_accounts(binding: Object) -> tuple[frozenset[Ref], frozenset[str]]:
    """Return the ServiceAccounts that a binding has as subjects, and the namespaces of which it has all of them.

    A subject names a ServiceAccount as such or by its user name, and all ServiceAccounts of a namespace by their group
    (kubernetes.io: RBAC, referring to subjects).
    """
    own = binding["metadata"].get("namespace", "")
    accounts: set[Ref] = set()
    namespaces: set[str] = set()
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
                namespaces.add(namespace)
    return frozenset(accounts), frozenset(namespaces)


def role_of(binding: Object) -> Ref:
    """Return the role that a binding gives; a Role is in the binding's own namespace."""
    role = binding.get("roleRef") or {}
    kind = str(role.get("kind"))
    space = binding["metadata"].get("namespace", "") if kind == "Role" else ""
    return Ref(RBAC, kind, space, str(role.get("name")))


def allows(rule: Any, group: str, resource: str, verbs: Collection[str]) -> bool:
    """Return whether a rule of a role allows one of some verbs on a resource (kubernetes.io: RBAC, Role)."""

    def has(field: str, wanted: Collection[str]) -> bool:
        return not {str(each) for each in rule.get(field) or ()}.isdisjoint(wanted)

    return (
        isinstance(rule, dict)
        and has("apiGroups", (group, "*"))
        and has("resources", (resource, "*"))
        and has("verbs", verbs)
    )
