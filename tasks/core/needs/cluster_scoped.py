"""Which cluster-scoped objects a backup of namespaces includes: those that the objects in these namespaces need.

These are the CRDs of their custom resources, the objects that their fields name (StorageClasses, PersistentVolumes,
PriorityClasses and so on), the ClusterRoleBindings of their ServiceAccounts, and what these need in turn: the
ClusterRole of a binding, the roles that an aggregated ClusterRole selects. A selector that no API server would accept
is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.jsondoc.edit import values
from kubeferry.tasks.core.kube.label_selectors import Requirement, selects
from kubeferry.tasks.core.kube.objects import Ref, labels_of
from kubeferry.tasks.core.needs.admission_policies import PolicyParameters
from kubeferry.tasks.core.needs.reference_fields import RBAC
from kubeferry.tasks.core.needs.references import references

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object

CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")


@dataclass(frozen=True, slots=True)
class Needs:
    """What the namespaces of a backup need: the CRDs of their kinds, and the objects that their fields name."""

    namespaces: frozenset[str]
    kinds: frozenset[tuple[str, str]]
    objects: frozenset[Ref]


def related(candidates: Iterable[Object], needs: Needs) -> frozenset[Ref]:
    """Return which of the cluster-scoped `candidates` are needed, directly or by another one that is."""
    named: dict[Ref, list[Ref]] = {}
    wanted: list[Ref] = []
    definitions: dict[tuple[str, str], Ref] = {}
    parameters = PolicyParameters()
    roles: dict[Ref, Mapping[str, str]] = {}
    aggregating: dict[Ref, list[list[Requirement]]] = {}
    for obj in candidates:
        ref = Ref.of(obj)
        named[ref] = [each.target for each in references(obj)]
        if (ref.group, ref.kind) == (RBAC, "ClusterRole"):
            roles[ref] = labels_of(obj)
            aggregating[ref] = [requirements(each) for each in values(obj, "aggregationRule.clusterRoleSelectors[]")]
        parameters.look(obj)
        if kind := _defined(obj):
            definitions[kind] = ref
        if ref in needs.objects or kind in needs.kinds or _binds(obj, needs.namespaces):
            wanted.append(ref)
    for user, each in parameters.references():
        named[user].append(each.target)
    for ref, selectors in aggregating.items():  # its rules come from the roles that its selectors match
        named[ref] += [role for role, labels in roles.items() if any(selects(each, labels) for each in selectors)]
    found: set[Ref] = set()
    while wanted:
        ref = wanted.pop()
        if ref in named and ref not in found:
            found.add(ref)
            wanted += [*named[ref], *filter(None, [definitions.get((ref.group, ref.kind))])]
    return frozenset(found)


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


def _defined(obj: Object) -> tuple[str, str] | None:
    """Return the (group, kind) that a CRD defines; None for any other object."""
    if obj["kind"] != CRD[1]:
        return None
    spec = obj["spec"]
    return spec["group"], spec["names"]["kind"]


def _binds(obj: Object, namespaces: frozenset[str]) -> bool:
    """Return whether a ClusterRoleBinding has a subject that is a ServiceAccount of these namespaces."""
    ref = Ref.of(obj)
    if (ref.group, ref.kind) != (RBAC, "ClusterRoleBinding"):
        return False
    accounts, whole = bound_accounts(obj)
    return bool(whole & namespaces) or any(each.namespace in namespaces for each in accounts)


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
