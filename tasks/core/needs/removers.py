"""Which finalizers something on a cluster can remove: a running workload whose account may, by RBAC.

A finalizer does not say whose it is. Evidence is an account that may change objects of the kind, by a rule that names
the kind's API group (an operator of it), or one that ends the finalizer's domain, and a workload that runs as it.
Sources: kubernetes.io, Finalizers; RBAC, "Role and ClusterRole"; OwnerReferencesPermissionEnforcement.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import get, values
from kubeferry.tasks.core.kube.kinds import is_built_in
from kubeferry.tasks.core.kube.namespace_defaults import DEFAULT_ACCOUNT
from kubeferry.tasks.core.kube.objects import Ref, type_of
from kubeferry.tasks.core.needs.cluster_scoped import allows, bound_accounts, role_of
from kubeferry.tasks.core.needs.references.fields import POD_SPEC_AT, RBAC

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.jsondoc.edit import Object

WORKLOADS = (("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet"), ("", "Pod"))
ROLES = ((RBAC, "ClusterRole"), (RBAC, "Role"))
BINDINGS = ((RBAC, "ClusterRoleBinding"), (RBAC, "RoleBinding"))
READ = (*WORKLOADS, *ROLES, *BINDINGS)
"""The kinds from which the accounts are known."""

CHANGING = frozenset({"update", "patch", "*"})


@dataclass
class Accounts:
    """The accounts of a cluster that run, and what rules they have; from objects that are there or will be."""

    running: set[Ref] = field(default_factory=set)
    rules: dict[Ref, list[Any]] = field(default_factory=dict)
    bound: list[tuple[Ref, frozenset[Ref], frozenset[str]]] = field(default_factory=list)

    def add(self, objects: Iterable[Object]) -> None:
        """Add objects of the kinds in `READ`."""
        for obj in objects:
            kind = type_of(obj)
            if kind in WORKLOADS:
                self._run(obj, kind)
            elif kind in ROLES:
                self.rules[Ref.of(obj)] = [each for each in obj.get("rules") or () if isinstance(each, dict)]
            elif kind in BINDINGS:
                self.bound.append((role_of(obj), *bound_accounts(obj)))

    def _run(self, obj: Object, kind: tuple[str, str]) -> None:
        if get(obj, "spec", "replicas") == 0 or get(obj, "status", "phase") in {"Succeeded", "Failed"}:
            return
        for spec in values(obj, POD_SPEC_AT[kind]):
            account = str(get(spec, "serviceAccountName") or DEFAULT_ACCOUNT[2])
            self.running.add(Ref("", "ServiceAccount", obj["metadata"].get("namespace", ""), account))

    def can_remove(self, finalizer: str, group: str, resource: str) -> bool:
        """Return whether a running account is likely to remove a finalizer from objects of a type."""
        return any(
            _names(rules, finalizer, group) and any(allows(rule, group, resource, CHANGING) for rule in rules)
            for rules in self._of_running()
        )

    def _of_running(self) -> Iterable[list[Any]]:
        found: dict[Ref, list[Any]] = {}
        for role, accounts, spaces in self.bound:
            for account in self.running:
                if account in accounts or account.namespace in spaces:
                    found.setdefault(account, []).extend(self.rules.get(role, ()))
        return found.values()


def _names(rules: Iterable[Any], finalizer: str, group: str) -> bool:
    """Return whether rules name the group of the object, or one that ends the domain of the finalizer."""
    named = {str(each) for rule in rules for each in rule.get("apiGroups") or ()} - {"", "*"}
    domain = finalizer.partition("/")[0]
    ends = any(domain == each or domain.endswith(f".{each}") for each in named if not is_built_in(each))
    return ends or (group in named and not is_built_in(group))
