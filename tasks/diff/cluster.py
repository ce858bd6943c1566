"""Compare a backup with a cluster: every type of every namespace is listed once, page by page, side by side.

Nothing is asked for by name but what a value of the old cluster is looked up in (resolve.py) and is in none of the
lists. Objects that drifted are kept, of the others only their names. A type that cannot be read is a problem that is
reported, and none of its objects counts as removed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kubeferry.tasks.core.compare.diff import Compared, added, changed, owned, removed, unknown
from kubeferry.tasks.core.errors import ExpiredError, ForbiddenError, InvalidError, NotFoundError, UnavailableError
from kubeferry.tasks.core.formats.reasons import BEING_DELETED, UNKNOWN_KIND
from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.jsondoc.edit import Object, get
from kubeferry.tasks.core.kube.objects import Ref, owners_of
from kubeferry.tasks.core.lookup.chain import Ask
from kubeferry.tasks.core.lookup.follow import Live, follow_in
from kubeferry.tasks.core.plan.existing import as_saved
from kubeferry.tasks.core.selection.exclusions import exclusion
from kubeferry.tasks.diff.added import AddedObject, added_objects
from kubeferry.tasks.diff.lists import ListToRead, places
from kubeferry.tasks.diff.sides import DiffScope, as_backed_up, whole, with_values
from kubeferry.tasks.ports.cluster.definitions import as_stored
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.preflight.checks.defaults import one_default
from kubeferry.tasks.preflight.checks.requests import give_up_requests
from kubeferry.tasks.preflight.checks.versions import other_versions
from kubeferry.tasks.preflight.checks.volumes import as_they_are
from kubeferry.tasks.preflight.lookup import Lookups, follow

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from kubeferry.tasks.core.compare.diff import ObjectDifference
    from kubeferry.tasks.core.lookup.chain import Chain
    from kubeferry.tasks.plan.state import Item, Plan, Source
    from kubeferry.tasks.ports.cluster.cancellation import Cancellation
    from kubeferry.tasks.preflight.target import Target

UNREADABLE = (ForbiddenError, InvalidError, NotFoundError, UnavailableError)


@dataclass
class Seen:
    """What one place showed."""

    place: ListToRead
    there: set[Ref] = field(default_factory=set)
    differences: list[ObjectDifference] = field(default_factory=list)
    same: int = 0
    later: list[tuple[Item, Object]] = field(default_factory=list)
    """Objects that can be compared when all is read: they hold values or owners that others have."""
    added: list[AddedObject] = field(default_factory=list)
    """Objects that the backup does not have."""
    selecting: set[str] = field(default_factory=set)
    """Services with a selector."""
    asked: list[Object] = field(default_factory=list)
    """Objects in which values of the old cluster are looked up."""
    problem: Problem | None = None


def compared_with_cluster(
    source: Source, plan: Plan, target: Target, lookups: Lookups, cancellation: Cancellation
) -> Compared:
    """Return in what the cluster of a planned restore differs from its backup."""
    cluster = target.cluster()
    target.discovery = as_stored(cluster, cluster.discover()).discovery
    for _ in other_versions(plan, target):
        pass  # what the cluster serves in no version that fits is a problem of the lists
    give_up_requests(source, plan, target, existing=False)
    one_default(plan, target)
    as_they_are(source, plan, target, ())
    return _Cluster(source, plan, target, lookups, cancellation).compared()


class _Cluster:
    def __init__(
        self, source: Source, plan: Plan, target: Target, lookups: Lookups, cancellation: Cancellation
    ) -> None:
        self.source, self.plan, self.target, self.lookups, self.cancellation, self.items = (
            source,
            plan,
            target,
            lookups,
            cancellation,
            plan.items,
        )
        self.terms = DiffScope.of(source)
        self.places = places(source, plan, target, self.terms)
        self.asks = {ask for item in self.items.values() for each in item.bindings for ask in each.chain.asks()}

    def compared(self) -> Compared:
        everywhere, seen = self.places.all(), list[Seen]()
        for done, one in enumerate(in_threads(self._look, everywhere, THREADS), start=1):
            seen.append(one)
            progress.step(f"diff {self.source.options.backup}", done, len(everywhere))
        there = frozenset[Ref]().union(*(one.there for one in seen))
        found = Compared([each for one in seen for each in one.differences], sum(one.same for one in seen))
        found.problems += [*self.places.problems, *(one.problem for one in seen if one.problem)]
        values = self._values(seen, found)
        for item, live in (each for one in seen for each in one.later):
            self._compare(found, item, live, there, values)
        found.differences += self._removed(seen, there)
        selecting = {one.place.namespace: frozenset(one.selecting) for one in seen if one.selecting}
        unexpected = [each for one in seen for each in one.added]
        known = [each.after for each in found.differences if each.after]
        found.differences += map(
            added, added_objects(self.source, self.plan, self.terms, unexpected, there, selecting, known)
        )
        return found

    # --- one list

    def _look(self, place: ListToRead) -> Seen:
        while True:
            try:
                return self._read(place)
            except ExpiredError:
                continue
            except UNREADABLE as error:
                return Seen(place, problem=Problem(what=str(place), why=str(error)))

    def _read(self, place: ListToRead) -> Seen:
        seen = Seen(place)
        query = {"fieldSelector": f"metadata.name={place.name}"} if place.name else None
        for page in self.target.cluster().pages(place.kind, place.namespace, query=query):
            for live in page.items:
                self._take(seen, live)
        return seen

    def _take(self, seen: Seen, live: Object) -> None:
        ref = Ref.of(live)
        seen.there.add(ref)
        if {Ask(*_four(ref)), Ask(*_four(ref)[:3])} & self.asks:
            seen.asked.append(live)
        if (ref.group, ref.kind) == ("", "Service") and get(live, "spec", "selector"):
            seen.selecting.add(ref.name)
        item = self.items.get(ref)
        if item is None:
            if not (exclusion(live) or self.source.rules.exclusion(live)):
                seen.added.append(AddedObject(ref, seen.place.kind, live))
        elif item.api_version != live["apiVersion"]:
            return  # the place of the other version shows it
        elif live["metadata"].get("deletionTimestamp"):
            seen.differences.append(removed(whole(self.plan, item), BEING_DELETED.text))
        elif item.bindings or item.links.owners:
            seen.later.append((item, live))
        else:
            _count(seen, changed(self._readings(item, live, (), {})))

    def _readings(
        self, item: Item, live: Object, there: Container[Ref], values: Mapping[Chain, str]
    ) -> list[tuple[Object, Object]]:
        body = whole(self.plan, item)
        owners = owners_of(live)
        after = owned(self.source.rules.without_dynamic(as_saved(live, body)), owners)
        readings = [(as_backed_up(with_values(body, item, values), item, there, owners), after)]
        if (
            item.bindings and item.links.uid == live["metadata"]["uid"]
        ):  # the very object that was backed up may hold what it held
            readings.append((as_backed_up(body, item, there, owners), after))
        return readings

    # --- all of them

    def _compare(
        self, found: Compared, item: Item, live: Object, there: Container[Ref], values: Mapping[Chain, str]
    ) -> None:
        """Compare an object that holds values or owners that others have; a value that nobody has now is none."""
        readings = self._readings(item, live, there, values)
        difference = changed(readings)
        differ = [
            each
            for each in (item.bindings if difference else ())
            if changed(unknown(readings, [each.use.pointer])) != difference
        ]
        absent = [each for each in differ if each.chain not in values]
        for each in absent:
            why = f"what it should be is not there now: {each.chain.text()}"
            found.problems.append(Problem(what=f"{item.ref} {each.use.pointer}", why=why))
        expected = sorted(
            {f"{each.use.pointer} should be {each.chain.text()}" for each in differ if each not in absent}
        )
        difference = changed(unknown(readings, [each.use.pointer for each in absent]))
        _count(found, replace(difference, why="; ".join(expected)) if difference else None)

    def _values(self, seen: list[Seen], found: Compared) -> dict[Chain, str]:
        """Return the values that the cluster has in the place of the old one's, as far as it has them now."""
        whole_lists = (one.place for one in seen if not (one.problem or one.place.name))
        read = {(place.kind.group, place.kind.kind, place.namespace) for place in whole_lists}
        chains = {each.chain for one in seen for item, _ in one.later for each in item.bindings}
        inside = {
            chain for chain in chains if all((ask.group, ask.kind, ask.namespace) in read for ask in chain.asks())
        }
        live = Live(obj for one in seen for obj in one.asked)
        values = {chain: value for chain in inside if (value := follow_in(chain, live)) is not None}
        try:
            return values | follow(self.target, self.lookups, self.cancellation, chains - inside, 0)
        except ForbiddenError as error:
            found.problems.append(Problem(what="addresses and uids of the cluster", why=str(error)))
            return values

    def _removed(self, seen: list[Seen], there: Container[Ref]) -> Iterator[ObjectDifference]:
        for ref in self.places.unknown:
            yield removed(whole(self.plan, self.items[ref]), UNKNOWN_KIND.text)
        unread = {one.place for one in seen if one.problem}
        for ref, place in self.places.of_items.items():
            if ref not in there and place not in unread:
                yield removed(whole(self.plan, self.items[ref]))


def _count(into: Seen | Compared, difference: ObjectDifference | None) -> None:
    into.same += difference is None
    into.differences += [difference] if difference else []


def _four(ref: Ref) -> tuple[str, str, str, str]:
    return ref.group, ref.kind, ref.namespace, ref.name
