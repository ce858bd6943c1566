"""What a backup takes from outside of its namespaces: by the rule of core/needs/outside.py, on what was spooled.

Cluster-wide objects of an operator's own kinds are listed only here, when it is known whose they are: a cluster may
have a thousand kinds, and a backup of one namespace has to do with few.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubeferry.tasks.backup.fetch import PROBLEMS, at_revision
from kubeferry.tasks.backup.state import CLUSTER
from kubeferry.tasks.core.errors import ExpiredError
from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.formats.outside import Outside, OutsideCode
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import ClusterWide
from kubeferry.tasks.core.needs.outside import Found, outside
from kubeferry.tasks.core.needs.references.fields import RBAC
from kubeferry.tasks.ports.cluster.pages import begun_again
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local.threads import in_threads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kubeferry.tasks.backup.state import Scope
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.core.needs.cluster_scoped import Needs


@dataclass(slots=True)
class FoundOutside:
    """What comes from outside, and the types of which objects are spooled."""

    carried: dict[Ref, Outside]
    losses: list[Loss] = field(default_factory=list)
    types: list[ResourceType] = field(default_factory=list)


def find_outside(scope: Scope, needs: Needs) -> FoundOutside:
    """Return what a backup takes from outside of its namespaces, as its options say."""
    asked = scope.options.cluster_wide
    if asked is ClusterWide.NONE:
        return FoundOutside({})
    types = sorted([*scope.related, *scope.elsewhere])
    rule = outside(scope.objects(CLUSTER, types), needs, _roles(scope))
    found = FoundOutside(rule.carried, [*rule.losses], types)
    _add_instances(scope, rule, found)
    if asked is ClusterWide.REPORT:
        found.losses += [
            Loss(object=each.text, code=LossCode.NOT_CARRIED.value, why=f"is not carried, as was asked: {each.why}")
            for each in found.carried.values()
        ]
        found.carried.clear()
    return found


def _roles(scope: Scope) -> Iterator[Object]:
    """Yield the Roles and RoleBindings of the namespaces."""
    types = [each for each in scope.types if each.group == RBAC]
    for namespace in scope.namespaces:
        yield from scope.objects(namespace, types)


def _add_instances(scope: Scope, rule: Found, found: FoundOutside) -> None:
    """Add the cluster-wide objects of operators' kinds, which are listed now."""
    named = {(each.group, each.resource) for each in scope.named}  # of these, only what is named has been read
    known = {(each.group, each.resource) for each in found.types} - named
    kinds = [each for each in scope.wide if (each.group, each.resource) in rule.operated.keys() - known]
    for kind, refs in zip(kinds, in_threads(lambda kind: _listed(scope, kind), kinds, THREADS), strict=True):
        if isinstance(refs, Loss):
            found.losses.append(refs)
            continue
        found.types += [kind] if kind not in found.types else []
        spaces = rule.operated[kind.group, kind.resource]
        why = f"is of a kind of the operator in {', '.join(spaces)}"
        for ref in refs:
            found.carried.setdefault(ref, Outside.of(ref, OutsideCode.OPERATOR, why, spaces))


def _listed(scope: Scope, kind: ResourceType) -> list[Ref] | Loss:
    """Spool one cluster-wide type; return its objects, or that it could not be listed."""
    for page in scope.pages(CLUSTER, kind):
        page.unlink()  # what was read by name of it
    try:
        try:
            at_revision(scope, kind, lambda revision: _spooled(scope, kind, revision))
        except ExpiredError:  # all else has been read at it: what is of an operator is read as it is now
            begun_again(lambda: sum(1 for _ in _spooled(scope, kind, "")))
    except PROBLEMS as error:
        return Loss.of(kind.group_resource, LossCode.NOT_LOOKED_AT, str(error))
    return [Ref.of(each) for each in scope.objects(CLUSTER, [kind])]


def _spooled(scope: Scope, kind: ResourceType, revision: str) -> Iterator[Path]:
    for number, page in enumerate(scope.cluster().pages(kind, revision=revision)):
        if not page.empty:
            file = scope.page(CLUSTER, kind, number)
            file.write_bytes(page.body)
            yield file
