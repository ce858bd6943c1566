"""Namespaces of a restore that are on the target already: they may be somebody's, who then reads what is put there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ForbiddenError
from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.needs.grants import secret_readers
from kubeferry.tasks.core.needs.references.fields import RBAC

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.plan.state import Plan
    from kubeferry.tasks.preflight.target import Target

BINDINGS, ROLES = ("RoleBinding", "ClusterRoleBinding"), ("Role", "ClusterRole")

MOST = 20
"""Names that a line has."""


def occupied(plan: Plan, target: Target, made: Container[Ref]) -> Iterator[Problem]:
    """Yield a line about each namespace that was there before the restore, with who may read Secrets in it.

    Args:
        plan: what is restored.
        target: the cluster.
        made: what this restore has made already, when it is resumed.
    """
    ours = {ref.name for ref in plan.namespaces if ref in made}
    there = [name for name in sorted({*plan.spaces().values()}) if name not in ours and target.namespace(name)]
    for name in there:
        try:
            readers = secret_readers(_listed(target, BINDINGS, name), _listed(target, ROLES, name))
        except ForbiddenError:
            who = "who may read Secrets in it is not known, for lack of the right to list roles"
        else:
            more = f" and {len(readers) - MOST} more" if len(readers) > MOST else ""
            who = f"Secrets in it can be read by {', '.join(readers[:MOST]) or 'nobody but the cluster itself'}{more}"
        yield Problem(what=f"Namespace {name}", why=f"was there already; {who}")


def _listed(target: Target, kinds: tuple[str, str], namespace: str) -> list[Object]:
    """Return the objects of a kind in a namespace, and of its cluster-wide twin in the whole cluster."""
    own, wide = kinds
    kind = target.discovery.by_kind(RBAC, own)
    inside = target.cluster().list(kind, namespace) if kind else []
    return [*inside, *target.cached.everywhere(RBAC, wide)]
