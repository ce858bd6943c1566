"""Decide what a restore will do, from the archive alone: what stays out, new names, what waits for what."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from sys import intern
from typing import TYPE_CHECKING, Any, Self

import orjson

from kubeferry.tasks.core.errors import DamagedError, UsageError
from kubeferry.tasks.core.formats.links import links_of
from kubeferry.tasks.core.formats.reasons import Reason, ReasonCode
from kubeferry.tasks.core.formats.records import LeftOut, Problem, Rewrite
from kubeferry.tasks.core.graph.order import Edge, Order, Strength, order
from kubeferry.tasks.core.jsondoc.edit import Object, change
from kubeferry.tasks.core.kube.kinds import NAMESPACE
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.readiness.evaluate import why_not_ready
from kubeferry.tasks.core.kube.strings import pointer
from kubeferry.tasks.core.models.options import ClusterWide
from kubeferry.tasks.core.needs.annotations import NOTHING, hints_of, with_namespaces
from kubeferry.tasks.core.needs.cluster_scoped import CRD
from kubeferry.tasks.core.needs.edges import needs_of, owner_edges
from kubeferry.tasks.core.needs.ownership import Owners
from kubeferry.tasks.core.needs.references.admission_policies import PolicyParameters
from kubeferry.tasks.core.needs.references.fields import Need
from kubeferry.tasks.core.needs.references.find import references
from kubeferry.tasks.core.selection.exclusions import KINDS_LEFT_OUT, of_pod
from kubeferry.tasks.core.transform.at_rest import rested
from kubeferry.tasks.core.transform.modify.apply import modified
from kubeferry.tasks.core.transform.rename.also import Also
from kubeferry.tasks.core.transform.rename.left import Scan
from kubeferry.tasks.core.transform.rename.rewrite import Known, Skip, rename
from kubeferry.tasks.core.transform.strip.apart import finalizers_of
from kubeferry.tasks.plan.apart import noted_at_rest, report_apart, rest_all
from kubeferry.tasks.plan.bindings import attach, bindings_known, hold_back
from kubeferry.tasks.plan.choice import FIRST, Choice
from kubeferry.tasks.plan.drop import drop_unchosen
from kubeferry.tasks.plan.grants import find_grants
from kubeferry.tasks.plan.keep_owned import keep_owned, report_rollouts
from kubeferry.tasks.plan.outside import copied
from kubeferry.tasks.plan.state import Item, Plan, Source
from kubeferry.tasks.plan.storage import look_at_claim, plan_storage
from kubeferry.tasks.plan.unpacked import archived_object, of_backup, stored_links
from kubeferry.tasks.ports.local import clock, progress
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kubeferry.tasks.core.kube.resources import Words
    from kubeferry.tasks.core.needs.references.find import Reference
    from kubeferry.tasks.plan.state import Archived

RENAMED = "namespace renamed"
ELSEWHERE = Reason(ReasonCode.NAMESPACE_NOT_SELECTED)
UNASKED = Reason(ReasonCode.EXCLUDED, detail="is from outside of the namespaces (--cluster-wide)")


@step("plan")
async def plan(source: Source, plan: Plan) -> None:
    """Fill in the plan of a restore.

    Raises:
        DamagedError: an object is not what its place in the archive says.
        UsageError: a namespace to rename is not in the backup, or two would become one; a selection that matches
            nothing or cannot be read.
    """
    await in_thread(_plan, source, plan)


def _plan(source: Source, plan: Plan) -> None:
    with of_backup(source):
        _fill(source, plan)


def _fill(source: Source, plan: Plan) -> None:
    names = dict(source.options.map)
    chosen = Choice(source)
    if source.company is None:
        _check_names(names, chosen)
    edges = _read(source, plan, chosen, _Moving.of(source, names, chosen))
    chosen.check()
    edges += attach(source, plan, bindings_known(source, plan, chosen), names)
    drop_unchosen(source, plan, chosen, edges)
    restored = {str(item.source) for item in plan.items.values()}
    plan.rewrites = [each for each in plan.rewrites if each.object in restored]
    plan.wants = _still_wanted(plan)
    edges = keep_owned(source, plan, edges)
    plan.namespaces = sorted(ref for ref in plan.items if (ref.group, ref.kind) == NAMESPACE)
    plan.definitions = sorted(ref for ref in plan.items if (ref.group, ref.kind) == CRD)
    plan.order = ordered(source, plan, edges)
    plan_storage(source, plan)
    report_rollouts(plan)
    if source.options.at_rest:
        rest_all(plan)
    hold_back(plan)
    find_grants(source, plan)
    report_apart(source, plan)
    plan.losses += [loss for item in plan.items.values() for loss in item.noted]
    progress.step(f"plan {source.name}", len(source.archived), len(source.archived))


def ordered(source: Source, plan: Plan, edges: Iterable[Edge]) -> Order:
    """Return the levels of what comes after namespaces and definitions, in the order that these edges ask for."""
    later = [ref for ref in plan.items if (ref.group, ref.kind) not in FIRST]
    hints = {ref: hint for ref in later if (hint := plan.items[ref].hints) is not NOTHING}
    said = ((ref, hints.get(ref, NOTHING).phase or source.rules.phase(ref)) for ref in later)
    phases = {ref: phase for ref, phase in said if phase is not None}
    waves = {ref: hint.wave for ref, hint in hints.items() if hint.wave is not None}
    return order(later, edges, phases, waves)


def _read(source: Source, plan: Plan, chosen: Choice, moving: _Moving) -> list[Edge]:
    """Plan each object of the archive that may be restored; return what they need."""
    links = stored_links(source)
    owners = Owners()
    edges: list[Edge] = []
    rollouts = plan.rollouts
    for done, each in enumerate(source.archived, start=1):
        obj = archived_object(source, each)
        ref = Ref.of(obj).shared(each.member.name)
        tied, not_ready = links.get(ref) or (links_of(obj), why_not_ready(obj, clock.now()))
        owners.add(ref, tied)
        why = ELSEWHERE if chosen.elsewhere(each.member) else chosen.why_never(obj) or of_pod(ref, tied)
        why = UNASKED if not why and chosen.unasked(ref, each.member) else why
        if why:
            target = ref.renamed(moving.names)
            if why in {ELSEWHERE, UNASKED}:
                chosen.bar(target, why)
            else:
                chosen.look_at_never(obj, each.member, target, tied, why)
            if why is not UNASKED or source.options.cluster_wide is ClusterWide.REPORT:
                _leave(plan, ref, why)
            continue
        portable = chosen.portable(obj)
        item = Item(ref, ref, intern(obj["apiVersion"]), each.slot, tied, not_ready, finalizers=finalizers_of(obj))
        item.elsewhere = chosen.outside.is_elsewhere(each.member)
        if source.options.modify.given:
            portable = _modify(source, plan, portable, obj, each, chosen.words(ref, each.member), item)
        if source.options.at_rest:
            portable = rested(portable, owned=any(owner.controller for owner in tied.owners))
        look_at_claim(item, obj, portable)
        status = _status(chosen, obj, portable, each)
        item.status_left = status is None and bool(obj.get("status")) and "status" not in portable
        edges += _add(source, plan, portable, item, moving, chosen, status)
        chosen.look(obj, each.member, item.ref)
        if not plan.as_files:
            rollouts.look(obj, item.ref, tied)
        if done % 500 == 0:
            progress.step(f"plan {source.name}", done, len(source.archived))
    edges += _parameters(plan, moving)
    for ref, (tied, _) in links.items():  # what is not saved, too
        owners.add(ref, tied)
    edges += rollouts.edges()
    lost = {edge for item in plan.items.values() for edge in _disown(item, owners)}
    return [edge for edge in edges if edge not in lost] if lost else edges


def _status(chosen: Choice, obj: Object, portable: Object, each: Archived) -> Any:
    """Return the status to write apart from the object; None for none."""
    status = obj.get("status")
    apart = isinstance(status, dict) and status and "status" not in portable
    return status if apart and chosen.with_status(obj, each.member) else None


def _modify(
    source: Source, plan: Plan, portable: Object, obj: Object, each: Archived, words: Words, item: Item
) -> Object:
    """Return an object as the options modify it: what is planned, looked at and verified is that."""
    made = modified(portable, obj, each.member.group_resource, words, source.options.modify)
    plan.rewrites += made.rewrites
    item.modified = made.pointers
    return made.obj


def _disown(item: Item, owners: Owners) -> list[Edge]:
    """Take the owners from an object that it cannot have on any cluster; return the edges to them."""
    refused = {owner: why for owner in item.links.owners if (why := owners.refusal(item.source, owner))}
    if not refused:
        return []
    item.unowned = tuple(f"{owner.kind} {owner.name}, which {why}" for owner, why in refused.items())
    left = tuple(owner for owner in item.links.owners if owner not in refused)
    lost = owner_edges(item.ref, item.links)
    item.links = replace(item.links, owners=left)
    kept = owner_edges(item.ref, item.links)
    return [edge for edge in lost if edge not in kept]


def _check_names(names: dict[str, str], chosen: Choice) -> None:
    for old in sorted(names.keys() - chosen.held.keys()):
        held = ", ".join(sorted(chosen.held)) or "none"
        raise UsageError(f"{chosen.backup} holds no namespace {old}; it holds {held}")
    targets = [names.get(each, each) for each in sorted(chosen.spaces)]
    for new in sorted({each for each in targets if targets.count(each) > 1}):
        raise UsageError(f"two namespaces of {chosen.backup} would both become {new}")


@dataclass(frozen=True, slots=True)
class _Moving:
    """What renaming has to know: old names to new, the objects of the backup, what to leave as it is."""

    names: dict[str, str]
    known: Known
    skip: Skip
    copies: dict[Ref, str]
    scan: Scan | None
    """Finds what still names the old namespaces; None where none is renamed."""
    also: Also | None
    inside: frozenset[str]
    """The namespaces that are restored, by their new names."""
    parameters: PolicyParameters = field(default_factory=PolicyParameters)

    @classmethod
    def of(cls, source: Source, names: dict[str, str], chosen: Choice) -> Self:
        known = source.company.known if source.company else known_of(source.archived)
        asked = source.options.no_rewrite
        classes = frozenset(each for each in asked if each.isalpha())
        skip = Skip(classes, tuple(each for each in asked if each not in classes))
        inside = frozenset(names.get(each, each) for each in chosen.spaces)
        moved = {old: new for old, new in names.items() if old != new}
        scan = Scan(moved, known) if moved else None
        also = Also.of(scan, source.options.rewrite_also, source.options.rewrite_rules) if scan else None
        return cls(names, known, skip, chosen.outside.copies(names), scan, also, inside)


def known_of(archived: Iterable[Archived]) -> Known:
    """Return what renaming has to know of the objects of a backup."""
    members = (each.member for each in archived)
    return Known.of((member.group_resource, member.namespace, member.name) for member in members)


def _add(
    source: Source, plan: Plan, obj: Object, item: Item, moving: _Moving, chosen: Choice, status: Any
) -> list[Edge]:
    """Plan one object; return what it needs, by target identity."""
    whole = obj if status is None else obj | {"status": status}
    renamed = rename(whole, moving.names, known=moving.known, skip=moving.skip, copies=moving.copies, also=moving.also)
    now = Ref.of(renamed.obj)
    item.ref, item.hints = item.source if now == item.source else now.shared(item.source.name), hints_of(obj)
    if moving.scan:
        item.noted = moving.scan.losses(renamed.obj, renamed.rewrites)
    if source.options.at_rest:
        item.noted += tuple(noted_at_rest(item.ref, renamed.obj, moving.inside))
    if status is not None:
        item.status = plan.contents.append(orjson.dumps(renamed.obj["status"]))
        renamed = replace(renamed, obj={key: value for key, value in renamed.obj.items() if key != "status"})
    unread = [renamed.unread] if renamed.unread else []
    plan.problems += [Problem(what=str(item.ref), why=why) for why in (*item.hints.invalid, *unread)]
    waited_for = with_namespaces(renamed.obj, moving.names)
    other = plan.items.get(item.ref)
    if other and other.source == item.source:
        raise DamagedError(f"it holds {item.source} twice")
    if other:
        raise UsageError(f"two objects of the backup would both become {item.ref}")
    body = renamed.obj
    for key, (old, new) in waited_for.items():
        body = change(body, ("metadata", "annotations", key), lambda _, new=new: new)  # type: ignore[misc] # mypy cannot type the default
        plan.rewrites.append(Rewrite.of(item.source, pointer(("metadata", "annotations", key)), old, new, RENAMED))
    item.slot = plan.contents.append(orjson.dumps(body))
    plan.items[item.ref] = item
    plan.rewrites += renamed.rewrites
    plan.losses += copied(item.source, item.ref, moving.names)
    named = list(references(body))
    for each in named:
        _want(plan, item.ref, each, moving)
    chosen.implied.look(body)
    moving.parameters.look(body)
    return needs_of(body, named, item.links, source.rules)


def _parameters(plan: Plan, moving: _Moving) -> Iterator[Edge]:
    """Yield the edges to the parameters of policies, which are known when all objects are."""
    for binding, each in moving.parameters.references():
        _want(plan, binding, each, moving)
        yield Edge(binding, each.target, Strength.REFERENCE, each.path)


def _want(plan: Plan, user: Ref, named: Reference, moving: _Moving) -> None:
    if _must_be_there(user, named, moving):
        plan.wants.setdefault(named.target, set()).add(user)


def _must_be_there(user: Ref, named: Reference, moving: _Moving) -> bool:
    """Return whether the target must have what an object names, if it is not restored.

    What was missing inside of the namespaces was missing on the source cluster, too, except for the source of a claim.
    """
    kind = (named.target.group, named.target.kind)
    if kind == NAMESPACE or kind in KINDS_LEFT_OUT:
        return False
    outside = not named.target.namespace or named.target.namespace not in {*moving.inside, user.namespace}
    return named.need is Need.ANYWHERE or (named.need is Need.OUTSIDE and outside)


def _still_wanted(plan: Plan) -> dict[Ref, set[Ref]]:
    """Return what is wanted by something that is restored.

    What is left out asks for nothing: an old ReplicaSet may name a class that nobody has any more. Whether a custom
    kind is cluster-scoped only the cluster says: what comes in the namespace of its user is what that means.
    """
    found: dict[Ref, set[Ref]] = {}
    for target, some in plan.wants.items():
        users = {each for each in some & plan.items.keys() if _other(target, each) not in plan.items}
        if users:
            found[target] = users
    return found


def _other(target: Ref, user: Ref) -> Ref:
    return target if target.namespace else target._replace(namespace=user.namespace)


def _leave(plan: Plan, ref: Ref, why: Reason) -> None:
    plan.left_out.append(LeftOut.of(ref, why))
