"""Compare a backup with another one: object by object, as both would be restored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.compare.diff import Compared, added, changed, owner_references, removed
from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.kube.kinds import short_names_of
from kubeferry.tasks.core.kube.resources import words_of
from kubeferry.tasks.diff.sides import DiffScope, as_backed_up, plurals, whole, with_values

if TYPE_CHECKING:
    from kubeferry.tasks.core.compare.diff import ObjectDifference
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.kube.resources import Words
    from kubeferry.tasks.plan.state import Item, Plan, Source


def compared_with_backup(source: Source, plan: Plan, other_source: Source, other_plan: Plan) -> Compared:
    """Return in what another backup differs from this one, both planned; the names of this one are mapped already."""
    return _Pair(source, plan, other_source, other_plan).compared()


class _Pair:
    def __init__(self, source: Source, plan: Plan, other_source: Source, other_plan: Plan) -> None:
        self.source, self.plan, self.other_source, self.other_plan = source, plan, other_source, other_plan
        self.ours, self.theirs = plan.items, other_plan.items
        self.terms, self.their_terms = DiffScope.of(source), DiffScope.of(other_source)
        self.plurals = plurals(source) | plurals(other_source)

    def compared(self) -> Compared:
        found, not_taken = Compared([]), 0
        for ref, item in self.ours.items():
            if ref in self.theirs:
                difference = self._changed(item, self.theirs[ref])
                found.same += difference is None
                found.differences += [difference] if difference else []
                continue
            body = whole(self.plan, item)
            if not self.their_terms.backup.why(body, self._words(ref)):
                not_taken += 1
            elif ref not in self.their_terms.left_out and ref not in self.their_terms.known:
                found.differences.append(removed(body))
        found.differences += self._added()
        if not_taken:
            other = self.other_source.options.backup
            why = f"backup {other} holds only what was asked for: {self.their_terms.backup.text()}"
            found.problems.append(Problem(what=f"{not_taken} objects", why=why))
        return found

    def _changed(self, item: Item, theirs: Item) -> ObjectDifference | None:
        ours, others = (owner_references(each.links.owners, lambda _: True) for each in (item, theirs))
        before = as_backed_up(whole(self.plan, item), item, self.ours, others)
        after = as_backed_up(whole(self.other_plan, theirs), theirs, self.theirs, ours)
        readings = [(before, after)]
        if item.bindings and theirs.bindings:
            readings.append((_by_chain(before, item), _by_chain(after, theirs)))
        return changed(readings)

    def _added(self) -> list[ObjectDifference]:
        spaces = {ref.namespace for ref in self.ours} | {ref.name for ref in self.plan.namespaces}
        extra = []
        for ref, item in self.theirs.items():
            inside = ref.namespace in spaces if ref.namespace else not self.terms.narrow
            if ref in self.ours or not inside:
                continue
            body = whole(self.other_plan, item)
            if self.terms.takes(body, ref, self._words(ref)):
                extra.append(added(body))
        return extra

    def _words(self, ref: Ref) -> Words:
        kind = (ref.group, ref.kind)
        plural = self.plurals[kind].partition(".")[0]
        return words_of(*kind, (plural, *short_names_of(*kind)))


def _by_chain(body: Object, item: Item) -> Object:
    """Return an object that says where each value of its cluster comes from, in the place of the value."""
    return with_values(body, item, {each.chain: each.chain.text() for each in item.bindings})
