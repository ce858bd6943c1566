"""Which lists of a cluster show all that a backup holds, and all that it would hold if it were made now."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.reasons import UNKNOWN_KIND, Reason, ReasonCode
from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.kube.kinds import NAMESPACE
from kubeferry.tasks.core.selection.exclusions import type_left_out
from kubeferry.tasks.core.selection.resource_types import NAMESPACES, RELATED, words_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.diff.sides import DiffScope
    from kubeferry.tasks.plan.state import Item, Plan, Source
    from kubeferry.tasks.preflight.target import Target


@dataclass(frozen=True, slots=True)
class ListToRead:
    """What one LIST answers for; a namespace itself is listed by its `name`."""

    kind: ResourceType
    """In the version that the backup holds."""
    namespace: str
    name: str = ""

    def __str__(self) -> str:
        """Return it as a person reads it, and as the problems of a backup name it."""
        return f"{self.kind.group_resource} in {self.namespace}" if self.namespace else self.kind.group_resource


@dataclass
class ListsToRead:
    """The lists to ask for, and what no list will show."""

    of_items: dict[Ref, ListToRead] = field(default_factory=dict)
    """Where each object of the backup would be."""
    others: list[ListToRead] = field(default_factory=list)
    """Where there may be more that a backup would take."""
    unknown: list[Ref] = field(default_factory=list)
    """Objects of kinds that the cluster does not know."""
    problems: list[Problem] = field(default_factory=list)

    def all(self) -> list[ListToRead]:
        """Return every list, each once."""
        return list(dict.fromkeys([*self.of_items.values(), *self.others]))


def spaces_of(plan: Plan) -> frozenset[str]:
    """Return the namespaces of a plan, by their names on the target."""
    return frozenset(plan.spaces().values())


def places(source: Source, plan: Plan, target: Target, terms: DiffScope) -> ListsToRead:
    """Return the lists to ask a cluster for, whose discovery is known."""
    found = ListsToRead()
    unserved: dict[str, str] = {}
    for ref, item in plan.items.items():
        why = _unserved(target, item)
        if why is UNKNOWN_KIND:
            found.unknown.append(ref)
        elif why:
            unserved[f"{ref.type} in {item.api_version}"] = why.text
        else:
            found.of_items[ref] = _place(target, item)
    found.problems += [Problem(what=what, why=why) for what, why in unserved.items()]
    held = {(ref.group, ref.kind, ref.namespace) for ref in found.of_items}
    gaps = _gaps(source)
    for place in _takable(plan, target, terms):
        if (place.kind.group, place.kind.kind, place.namespace) in held:
            continue
        names = (str(place), place.kind.group_resource, place.kind.api_version)
        gap = next((gaps[name] for name in names if name in gaps), None)
        if gap:
            found.problems.append(Problem(what=str(place), why=f"the backup could not read it: {gap}"))
        else:
            found.others.append(place)
    return found


def _place(target: Target, item: Item) -> ListToRead:
    ref = item.ref
    if (ref.group, ref.kind) == NAMESPACE:
        return ListToRead(NAMESPACES, "", ref.name)
    kind = target.discovery.by_kind(ref.group, ref.kind)
    if kind is None:
        raise TypeError(f"{ref} has no place")  # asked of those that are served only
    return ListToRead(replace(kind, version=item.api_version.rpartition("/")[2]), ref.namespace)


def _unserved(target: Target, item: Item) -> Reason | None:
    """Return why objects like this one cannot be listed; None where they can."""
    kind = (item.ref.group, item.ref.kind)
    served = target.discovery.versions.get(kind, ())
    if item.api_version.rpartition("/")[2] in served:
        return None
    stale = [why for what, why in target.discovery.problems.items() if what.partition("/")[0] == item.ref.group]
    if stale:
        return Reason(ReasonCode.NOT_READ, detail=stale[0])
    if not served:
        return UNKNOWN_KIND
    return Reason(ReasonCode.OTHER_VERSIONS, detail=f"the cluster serves {', '.join(served)}")


def _takable(plan: Plan, target: Target, terms: DiffScope) -> Iterator[ListToRead]:
    """Yield where a backup made now would look."""
    carried = [each for each in target.discovery.types if not type_left_out(each.group, each.resource, each.verbs)]
    for kind in carried:
        if kind.namespaced and terms.may_take(words_for(kind)):
            yield from (ListToRead(kind, namespace) for namespace in sorted(spaces_of(plan)))
        # Of cluster-wide objects a backup takes what is needed: nothing of that can be new when only some is compared.
        if not kind.namespaced and (kind.group, kind.resource) in RELATED and not terms.narrow:
            yield ListToRead(kind, "")


def _gaps(source: Source) -> dict[str, str]:
    """Return what the backup itself could not read, by the place's name on the target, with the reason."""
    manifest, gaps = source.backup.manifest, dict[str, str]()
    for each in manifest.problems if manifest else ():
        what, namespace = each.place
        gaps[f"{what} in {source.options.map.get(namespace, namespace)}" if namespace else what] = each.why
    return gaps
