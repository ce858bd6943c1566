"""Objects of other namespaces that a restore makes: only where the target has the namespace, and the role they give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ForbiddenError
from kubeferry.tasks.plan.outside import CALLING, drop_impossible, drop_refused
from kubeferry.tasks.ports.cluster.namespaces import stays

if TYPE_CHECKING:
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.plan.state import Plan
    from kubeferry.tasks.preflight.target import Target


def drop_elsewhere(plan: Plan, target: Target) -> None:
    """Take from a plan what of other namespaces the target cannot have; the plan says so."""
    spaces = sorted({ref.namespace for ref in plan.elsewhere})
    there = {name: stays(target.namespace(name)) for name in spaces}
    roles = {role for role in plan.roles_elsewhere().values() if role not in plan.items and there[role.namespace]}
    drop_impossible(plan, there, {role: _is_there(target, role) for role in sorted(roles)})


def drop_not_allowed(plan: Plan, target: Target) -> None:
    """Take from a plan what decides what the cluster accepts, if these credentials may not create it.

    The rest is restored all the same: the accounts of workers have no such right on purpose.
    """
    asked = {(ref.group, ref.kind) for ref in plan.items if ref.group in CALLING and not ref.namespace}
    kinds = [kind for each in sorted(asked) if (kind := target.discovery.by_kind(*each))]
    refused = {(kind.group, kind.kind) for kind in kinds if not target.cached.allowed("create", kind, "")}
    drop_refused(plan, {ref for ref in plan.items if not ref.namespace and (ref.group, ref.kind) in refused})


def _is_there(target: Target, role: Ref) -> bool:
    kind = target.discovery.by_kind(role.group, role.kind)
    try:
        return kind is not None and target.cluster().find(kind, role.namespace, role.name) is not None
    except ForbiddenError:
        return True  # the right to create the binding is asked for by the other checks
