"""The bindings of a plan: read from the backup, moved to the target's identities, and those that come late.

A binding comes late where what it needs is created no earlier than its own object (a cycle, its own address, or an
object that comes before all levels). Such an object is created without the value, and patched when it is known.

Find the uses of addresses and uids in an archive of live objects, as Velero writes it: nobody noted them at backup.

The same two passes as of a backup, over the archive instead of the cluster: index what its objects were given, then
look for it in their strings. What the archive does not hold is not known: nodes, and Services of other namespaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.graph.order import Edge, Strength, Via
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.requests import REQUESTS, asks, repeats
from kubeferry.tasks.core.lookup.bindings import Binding, bindings_of, from_json, moved
from kubeferry.tasks.core.lookup.derive import Known
from kubeferry.tasks.core.lookup.mutation import ANNOTATION
from kubeferry.tasks.core.lookup.substitute import substitute
from kubeferry.tasks.core.models.sources import source_of, source_text
from kubeferry.tasks.core.plan.late_values import (
    NEVER,
    Means,
    deferral,
    part_of,
    placeholder,
    steps_of,
    strength_of,
    without_fields,
)
from kubeferry.tasks.plan.unpacked import archived_object, lines

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.plan.choice import Choice
    from kubeferry.tasks.plan.state import Item, Plan, Source


def stored_bindings(source: Source) -> dict[Ref, list[Binding]]:
    """Return the bindings of the backup by object, as the source knew it; none for an archive that others wrote.

    Raises:
        DamagedError: a line is not a binding.
    """
    found: dict[Ref, list[Binding]] = {}
    for binding in lines(source, source.work / "bindings.jsonl.gz", "bindings", from_json):
        found.setdefault(binding.object, []).append(binding)
    return found


def attach(source: Source, plan: Plan, stored: dict[Ref, list[Binding]], names: dict[str, str]) -> Iterator[Edge]:
    """Give each item its bindings under the target's identities; yield what they need."""
    where, allowed = _mapping(plan, names), {source_of(text) for text in source.options.allow_sources}
    beside = {*source.company.names.values()} if source.company else set[str]()
    for item in plan.items.values():
        given = stored.get(item.source, ())
        kept = [moved(each, where) for each in given if not _overridden(each.use.pointer, item.modified)]
        kept = _used(plan, item, kept)
        foreign = {each for each in kept if _is_foreign(each, plan, beside) and each.chain.start not in allowed}
        plan.problems += [_refused(each) for each in kept if each in foreign]
        item.bindings = tuple(each for each in kept if each not in foreign)
        body = plan.contents.read(item.slot) if item.bindings else {}
        for each in item.bindings:
            strength = strength_of(body, each.use.pointer)
            yield from (Edge(item.ref, need, strength, each.use.pointer, Via.BINDING) for need in each.needs)


def _used(plan: Plan, item: Item, bindings: list[Binding]) -> list[Binding]:
    """Return the bindings without those of addresses that the object asks for, which older backups have."""
    kind = (item.ref.group, item.ref.kind)
    if kind not in REQUESTS or not bindings:
        return bindings
    body = plan.contents.read(item.slot)
    places = [(each, steps_of(each.use.pointer)) for each in bindings]
    return [each for each, at in places if each.kind == "user" or not (asks(kind, at) or repeats(body, at, each.old))]


def _is_foreign(binding: Binding, plan: Plan, beside: Collection[str]) -> bool:
    """Return whether a binding reads any field of an object that its own author may not be able to read.

    A restore reads with its user's rights. Who wrote the object, or the file of bindings in the store, must not choose
    what is read with them: only what is in the object's own namespace, or is restored with it. The same migration
    restores what is in the namespaces `beside`.
    """
    start, reader = binding.chain.start, binding.object
    own = start is not None and (start.namespace == reader.namespace != "" or start.namespace in beside)
    return binding.chain.read.what == "path" and not own and start not in plan.items


def _refused(binding: Binding) -> Problem:
    start = binding.chain.start
    asked = source_text(start) if start else ""
    why = f"an annotation reads {start}, which is not restored with it: the value stays (--allow-source {asked})"
    return Problem(what=f"{binding.object} {binding.use.pointer}", why=why)


def _overridden(pointer: str, modified: Iterable[str]) -> bool:
    """Return whether a place was modified as asked: what the user wrote there is not written over."""
    return any(pointer == each or pointer.startswith(f"{each}/") or each.startswith(f"{pointer}/") for each in modified)


def _mapping(plan: Plan, names: dict[str, str]) -> Callable[[Ref], Ref]:
    targets = {item.source: item.ref for item in plan.items.values()}
    return lambda ref: targets.get(ref) or ref.renamed(names)


def hold_back(plan: Plan) -> None:
    """Take the values that come late out of what is created first, and keep the whole of what is bound at all."""
    level = {ref: number for number, refs in enumerate(plan.order.levels) for ref in refs}
    for item in plan.items.values():
        if not item.bindings:
            continue
        own = level.get(item.ref, -1)
        item.late = tuple(
            each for each in item.bindings if own < 0 or any(level.get(need, -1) >= own for need in each.needs)
        )
        item.whole = item.slot
        if item.late:
            _hold_back(plan, item)


Rounds = dict[int, list[Ref]]
"""Number of a level (0: before all of them) → the objects whose late values are known after it."""


def late_turns(plan: Plan) -> tuple[Rounds, Rounds]:
    """Return when late values are known: as soon as a level is written, or once it is ready.

    They are patched as soon as can be: a pod may not start without them, and starts again when they change.
    """
    level = {ref: number for number, refs in enumerate(plan.order.levels, start=1) for ref in refs}
    written, stands = Rounds(), Rounds()
    for item in plan.items.values():
        if item.late:
            turns = written if all(each.chain.read.what in AT_ONCE for each in item.late) else stands
            needs = [level.get(need, 0) for each in item.late for need in each.needs]
            turns.setdefault(max([level.get(item.ref, 0), *needs]), []).append(item.ref)
    return written, stands


AT_ONCE = ("uid", "clusterIP")
"""What an object has as soon as it is there."""


def _hold_back(plan: Plan, item: Item) -> None:
    body = plan.contents.read(item.slot)
    for each in item.late:
        how = how_late(body, each)
        if how in NEVER and each.kind == "user":
            why = f"annotation {ANNOTATION} is ignored: {how.value}; it needs {each.chain.text()}"
            plan.problems.append(Problem(what=f"{item.ref} {each.use.pointer}", why=why))
            item.bindings = tuple(other for other in item.bindings if other != each)
        elif how in NEVER:
            problem = f"{item.ref} {each.use.pointer}: {how.value}; it needs {each.chain.text()}"
            plan.impossible.append(problem)
    item.late = tuple(each for each in item.late if each in item.bindings)
    item.slot = plan.contents.append(orjson.dumps(bare(body, item.late)))


def how_late(obj: Object, binding: Binding) -> Means:
    """Return what it takes to write a value into an object that is there."""
    return deferral(obj, Edge(binding.object, binding.object, Strength.BINDING, binding.use.pointer, Via.BINDING)).how


def bare(obj: Object, late: Iterable[Binding]) -> Object:
    """Return an object as it can be created before `late` are known: without their keys, or with what reaches nothing.

    What can never be patched stays: preflight has reported it.
    """
    made = obj
    for each in late:
        how = how_late(obj, each)
        if how is Means.LEAVE_OUT:
            made = without_fields(made, [part_of(obj, each.use.pointer)])
        elif how is Means.PLACEHOLDER:
            made, _ = substitute(made, [each.use], lambda use: placeholder(use.value))
    return made


def bindings_known(source: Source, plan: Plan, chosen: Choice) -> dict[Ref, list[Binding]]:
    """Return the bindings of a backup by object, as the source knew it: noted at backup, else found in the archive.

    Raises:
        DamagedError: a line of the noted ones is not a binding.
    """
    return live_bindings(source, plan, chosen) if source.backup.manifest is None else stored_bindings(source)


def live_bindings(source: Source, plan: Plan, chosen: Choice) -> dict[Ref, list[Binding]]:
    """Return the bindings of what is planned, by object, as the source knew it."""
    known = Known()
    for each in source.archived:
        known.add(archived_object(source, each))
    planned = {item.source for item in plan.items.values()}
    found: dict[Ref, list[Binding]] = {}
    for each in source.archived:
        obj = archived_object(source, each)
        if Ref.of(obj) in planned and (bindings := _bindings(plan, chosen.portable(obj), known)):
            found[Ref.of(obj)] = bindings
    return found


def _bindings(plan: Plan, obj: Object, known: Known) -> list[Binding]:
    found, problem = bindings_of(obj, known.index, known.around)
    if problem:  # an annotation of its user's that nobody can read: reported, and no reason to stop
        plan.problems.append(Problem(what=str(Ref.of(obj)), why=problem))
    return found
