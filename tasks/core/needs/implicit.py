"""Implicit dependencies: what objects need although none of their own fields names it.

- A ServiceAccount needs the bindings that grant its permissions. They matter only for what is included: a workload that
  is restored without its permissions would not work. (Velero, too, includes the ClusterRoleBindings of an account.)
- Pods whose spec names no ServiceAccount run as `default`.
- A ClusterRole with an aggregation rule needs the roles that it aggregates.
- Every object needs its namespace, and the definition of its kind.

These decide what a backup or a restore includes (graph/closure.py), and have no influence on the order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.graph.order import Edge, Strength, Via
from kubeferry.tasks.core.jsondoc.edit import Object, get, values
from kubeferry.tasks.core.kube.kinds import NAMESPACE
from kubeferry.tasks.core.kube.label_selectors import Requirement, selects
from kubeferry.tasks.core.kube.namespace_defaults import DEFAULT_ACCOUNT
from kubeferry.tasks.core.kube.objects import Ref, labels_of
from kubeferry.tasks.core.kube.resources import defined
from kubeferry.tasks.core.needs.cluster_scoped import CRD, bound_accounts, requirements
from kubeferry.tasks.core.needs.references.fields import POD_SPEC_AT, RBAC

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

RIGHTS = "its rights"
RUNS_AS = "its pods run as this account"
GATHERS = "aggregationRule"
DEFINED = "its kind"
STANDS_IN = "its namespace"

_BINDINGS = ("RoleBinding", "ClusterRoleBinding")


class Implied:
    """Collects what implicit dependencies depend on, object by object in any order; complete when all were seen."""

    def __init__(self) -> None:
        """Start empty."""
        self._bindings: dict[Ref, tuple[frozenset[Ref], frozenset[str]]] = {}
        self._accounts: dict[str, list[Ref]] = {}
        self._roles: dict[Ref, Mapping[str, str]] = {}
        self._gathering: dict[Ref, list[list[Requirement]]] = {}
        self._definitions: dict[tuple[str, str], Ref] = {}
        self._by_default: list[Edge] = []

    def look(self, obj: Object) -> None:
        """Collect what one object contributes.

        Raises:
            DamagedError: a CRD that defines no kind, a role with invalid selectors.
        """
        ref = Ref.of(obj)
        kind = (ref.group, ref.kind)
        if kind == DEFAULT_ACCOUNT[:2]:
            self._accounts.setdefault(ref.namespace, []).append(ref)
        elif ref.group == RBAC and ref.kind in _BINDINGS:
            self._bindings[ref] = bound_accounts(obj)
        elif kind == (RBAC, "ClusterRole"):
            self._roles[ref] = labels_of(obj)
            self._aggregate(ref, obj)
        elif kind == CRD:
            made = defined(obj)
            self._definitions[made.group, made.kind] = ref
        elif kind in POD_SPEC_AT:
            self._by_default += _default_account(obj, ref)

    def _aggregate(self, ref: Ref, role: Object) -> None:
        try:
            rules = [requirements(each) for each in values(role, "aggregationRule.clusterRoleSelectors[]")]
        except DamagedError as error:
            raise DamagedError(f"{ref}: {error}") from error
        if rules:
            self._gathering[ref] = rules

    def add(self, other: Implied) -> None:
        """Add what another instance has collected from other objects."""
        self._bindings |= other._bindings
        self._roles |= other._roles
        self._gathering |= other._gathering
        self._definitions |= other._definitions
        self._by_default += other._by_default
        for namespace, accounts in other._accounts.items():
            self._accounts.setdefault(namespace, []).extend(accounts)

    def edges(self) -> Iterator[Edge]:
        """Yield the edges from ServiceAccounts to their bindings, and from aggregated ClusterRoles to their roles."""
        for binding, (accounts, namespaces) in self._bindings.items():
            of_namespaces = (each for namespace in namespaces for each in self._accounts.get(namespace, ()))
            for account in sorted({*accounts, *of_namespaces}):
                yield Edge(account, binding, Strength.REFERENCE, RIGHTS, Via.IMPLICIT)
        for role, rules in self._gathering.items():
            for other, labels in self._roles.items():
                if other != role and any(selects(rule, labels) for rule in rules):
                    yield Edge(role, other, Strength.REFERENCE, GATHERS, Via.IMPLICIT)

    def by_default(self) -> Iterable[Edge]:
        """Return the edges of workloads that run as the ServiceAccount `default`, which every namespace has anyway."""
        return self._by_default

    def always(self, ref: Ref) -> Iterator[tuple[Ref, str]]:
        """Yield what `ref` cannot exist without, with the reason: the definition of its kind, its namespace."""
        if definition := self._definitions.get((ref.group, ref.kind)):
            yield definition, DEFINED
        if ref.namespace:
            yield Ref(*NAMESPACE, "", ref.namespace), STANDS_IN

    def serving(self, namespaces: frozenset[str]) -> Iterator[Ref]:
        """Yield the ClusterRoleBindings that grant permissions to ServiceAccounts of some namespaces."""
        for binding, (accounts, bound) in self._bindings.items():
            named = bound | {each.namespace for each in accounts}
            if not binding.namespace and named & namespaces:
                yield binding


def _default_account(obj: Object, ref: Ref) -> Iterator[Edge]:
    spec = get(obj, *POD_SPEC_AT[ref.group, ref.kind].split("."))
    if isinstance(spec, dict) and not (spec.get("serviceAccountName") or spec.get("serviceAccount")):
        yield Edge(
            ref, Ref(*DEFAULT_ACCOUNT[:2], ref.namespace, DEFAULT_ACCOUNT[2]), Strength.REFERENCE, RUNS_AS, Via.IMPLICIT
        )
