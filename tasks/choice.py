"""Which objects of an archive are restored: what the options say, and what no restore carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.core.carry import left_out
from tasks.core.closure import Selector, closure, names_of
from tasks.core.errors import UsageError
from tasks.core.keep import Keep, Surroundings
from tasks.core.manifest import LeftOut
from tasks.core.objects import Object, Ref, annotations_of
from tasks.core.related import CRD
from tasks.core.selection import parse_selector

if TYPE_CHECKING:
    from tasks.core.options import RestoreOptions
    from tasks.core.order import Edge
    from tasks.restoring import Restoring

NAMESPACE = ("", "Namespace")
FIRST = (NAMESPACE, CRD)
"""Kinds that come before all levels, in steps of their own; they are not chosen by kind or label."""


class Choice:
    """What the options and the archive say about which objects are in."""

    def __init__(self, restoring: Restoring) -> None:
        options: RestoreOptions = restoring.options
        self.selector = Selector(
            labels=parse_selector(options.selector),
            annotations=parse_selector(options.annotation_selector),
            kinds=frozenset(each.lower() for each in options.include),
            not_kinds=frozenset(each.lower() for each in options.exclude),
        )
        ours = restoring.backup.manifest is not None
        self.keep = Keep(completed_jobs=True) if ours else Keep()
        self.around = Surroundings() if ours else _surroundings(restoring)
        self.rules = restoring.rules
        self.excluded: set[Ref] = set()
        self.selected: dict[Ref, str] = {}
        self._met: set[str] = set()

    def why_never(self, obj: Object) -> str:
        """Return why no restore carries an object, or ""."""
        return left_out(obj, self.around, self.keep) or self.rules.left_out(obj) or ""

    def look(self, obj: Object, group_resource: str, target: Ref) -> None:
        """Note whether an object of the archive is selected, under its identity on the target."""
        plural = group_resource.partition(".")[0]
        said = names_of(Ref.of(obj), plural)
        self._met |= said & (self.selector.kinds | self.selector.not_kinds)
        if (target.group, target.kind) in FIRST:
            self.selected[target] = (
                "defines a kind" if (target.group, target.kind) == CRD else "a namespace of the backup"
            )
            return
        if said & self.selector.not_kinds:
            self.excluded.add(target)
        why = self.selector.why(obj, plural)
        if why:
            self.selected[target] = why

    def check(self, backup: str) -> None:
        """Refuse a kind that the backup does not hold: a typing error must not make a restore silently smaller."""
        for asked in sorted((self.selector.kinds | self.selector.not_kinds) - self._met):
            raise UsageError(f"backup {backup} holds no kind {asked!r}")


def drop_unchosen(restoring: Restoring, choice: Choice, edges: list[Edge]) -> None:
    """Take out of the plan what is neither selected nor needed by what is, and say of the others why they are in."""
    plan = restoring.plan
    reasons = closure(
        choice.selected,
        edges,
        plan.items.keys(),
        only=restoring.options.only,
        may=lambda ref: ref not in choice.excluded,
    )
    for ref, item in list(plan.items.items()):
        item.why = reasons.get(ref, "")
        if not item.why:
            del plan.items[ref]
            why = "its kind is excluded" if ref in choice.excluded else "not selected, and nothing selected needs it"
            plan.left_out.append(
                LeftOut(type=item.source.type, namespace=item.source.namespace, name=item.source.name, why=why)
            )


def _surroundings(restoring: Restoring) -> Surroundings:
    """Return what strip has to know of an archive that holds live objects, as Velero writes it."""
    services, volumes = set(), set()
    for each in restoring.archived:
        if each.member.group_resource == "services":
            service = restoring.archive.read(each.slot)
            services |= {each.member.name} if (service.get("spec") or {}).get("selector") else set()
        if each.member.group_resource == "persistentvolumes":
            provisioned = annotations_of(restoring.archive.read(each.slot)).get("pv.kubernetes.io/provisioned-by")
            volumes |= set() if provisioned else {each.member.name}
    return Surroundings(frozenset(services), frozenset(volumes))
