"""Namespaces of a restore that are on the target already: they may be somebody's, who then reads what is put there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ForbiddenError
from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.needs.grants import secret_readers
from kubeferry.tasks.core.needs.references import RBAC

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.plan.state import Plan
    from kubeferry.tasks.preflight.target import Target

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
    everywhere: tuple[list[Object], list[Object]] | None = None
    for name in there:
        try:
            if everywhere is None:
                everywhere = _listed(target, "ClusterRoleBinding", ""), _listed(target, "ClusterRole", "")
            bindings = [*everywhere[0], *_listed(target, "RoleBinding", name)]
            readers = secret_readers(name, bindings, [*everywhere[1], *_listed(target, "Role", name)])
        except ForbiddenError:
            who = "who may read Secrets in it is not known, for lack of the right to list roles"
        else:
            more = f" and {len(readers) - MOST} more" if len(readers) > MOST else ""
            who = f"Secrets in it can be read by {', '.join(readers[:MOST]) or 'nobody but the cluster itself'}{more}"
        yield Problem(what=f"Namespace {name}", why=f"was there already; {who}")


def _listed(target: Target, kind: str, namespace: str) -> list[Object]:
    found = target.discovery.by_kind(RBAC, kind)
    what = {"apiVersion": found.api_version, "kind": found.kind} if found else {}
    return [what | each for each in target.cluster().list(found, namespace)] if found else []
