"""Which objects a deletion includes, and in which order: requested ones, dependents, and their users.

If all owners of an object are deleted, the garbage collector deletes it, so that no controller re-creates it meanwhile;
the deletion waits for it at the level of its last owner. Levels are those of a restore: the highest is deleted first.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.reasons import Reason, ReasonCode
from kubeferry.tasks.core.formats.target.bundle import Member
from kubeferry.tasks.core.graph.order import Edge, Strength, order
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.annotations import NOTHING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from kubeferry.tasks.core.deletion.authorization import Authority
    from kubeferry.tasks.core.deletion.inventory import Inventory, InventoryItem


def split(
    wanted: Mapping[str, int], by_uid: Mapping[str, InventoryItem], never: Container[str] = ()
) -> tuple[dict[str, int], dict[str, frozenset[str]]]:
    """Return which of `wanted` (uid → level) to delete explicitly, and all their dependents → the roots of each.

    Nothing in `never` is a dependent.
    """
    inside = wanted.keys() | dependents(wanted, by_uid, never).keys()
    held = {uid for uid in wanted if (owners := _owners(by_uid[uid], by_uid)) and owners <= inside}
    asked = {uid: level for uid, level in wanted.items() if uid not in held}
    following = dependents(asked, by_uid, never)
    circle = held - following.keys()  # they own each other: the cycle has no other root
    asked |= {uid: wanted[uid] for uid in circle}
    return asked, dependents(asked, by_uid, never) if circle else following


def dependents(
    roots: Iterable[str], by_uid: Mapping[str, InventoryItem], never: Container[str] = ()
) -> dict[str, frozenset[str]]:
    """Return the uid of each object that the garbage collector deletes with `roots` → its roots.

    It is deleted after the last of its owners (kubernetes.io: Garbage collection); an owner that does not exist is
    ignored. Nothing in `never` is deleted.
    """
    ends = {uid: frozenset([uid]) for uid in sorted(roots)}
    owned: dict[str, list[str]] = defaultdict(list)
    left: dict[str, set[str]] = {}
    for uid in sorted(by_uid.keys() - ends.keys()):
        left[uid] = _owners(by_uid[uid], by_uid, ends)
        for owner in left[uid] if uid not in never else ():
            owned[owner].append(uid)
    found: dict[str, frozenset[str]] = {}
    todo = list(ends.items())
    while todo:
        owner, with_ = todo.pop()
        for uid in owned[owner]:
            left[uid].discard(owner)
            ends[uid] = ends.get(uid, frozenset()) | with_
            if not left[uid]:
                found[uid] = ends[uid]
                todo.append((uid, ends[uid]))
    return found


def _owners(fact: InventoryItem, by_uid: Mapping[str, InventoryItem], others: Container[str] = ()) -> set[str]:
    """Return the existing owners of an object: in its namespace or cluster-scoped, because no other is allowed."""
    namespaces = ("", fact.ref.namespace)
    return {
        owner
        for owner in fact.owners
        if (by_uid[owner].ref.namespace in namespaces if owner in by_uid else owner in others)
    }


REPLACED = Reason(ReasonCode.REPLACED, detail="another object has that name now")
OLDER = Reason(ReasonCode.OLDER, detail="was there before the bundle")
UNPROVED = "is listed, but nothing on it proves that it belongs to the bundle"
NAMELESS = "is listed, but names no object"


@dataclass(frozen=True, slots=True)
class Cascade:
    """The objects of a deletion."""

    asked: list[Member]
    """What is deleted explicitly, the lowest level first."""
    following: dict[Member, frozenset[str]]
    """Dependents → the uids of their roots."""
    needed: list[Edge]
    """Needs of objects outside for objects inside."""
    users: dict[str, frozenset[str]] = field(default_factory=dict)
    """uid of a deleted object → uids of the included objects that need it or its dependents."""
    stays: list[tuple[Ref, Reason]] = field(default_factory=list)
    """What is listed or selected but not included, and why."""
    refused: list[tuple[str, str]] = field(default_factory=list)
    """What a bundle lists without authority, and why."""
    untie: dict[Ref, frozenset[str]] = field(default_factory=dict)
    """Older dependents → the uids of the owners whose references are removed, so that they stay."""

    @property
    def digest(self) -> str:
        """Return the SHA-256 (hex) of what is deleted, which identifies this set of objects."""
        return sha256("\n".join(sorted(f"{each.uid} {each.ref}" for each in self.asked)).encode()).hexdigest()


def of_bundles(authorities: Sequence[Authority], facts: Inventory) -> Cascade:
    """Return the objects of a bundle, or of several of one restore."""
    listed = _Listed()
    for authority in authorities:
        listed.look(authority, facts)
    wanted, by_uid = listed.wanted, {fact.uid: fact for fact in facts.objects.values()}
    unlisted = [fact.ref for fact in by_uid.values() if fact.uid not in wanted and _owned(authorities, fact)]
    above = max(wanted.values(), default=0)
    for ref, level in _levels(unlisted, {}, facts).items():  # from a restore that was killed, or added since
        wanted[facts.objects[ref].uid] = above + level
    old = _older(authorities, wanted, by_uid)
    asked, following = split(wanted, by_uid, old)
    going = {by_uid[uid].ref for uid in (*asked, *following)}
    stays = dict.fromkeys(listed.replaced - going, REPLACED) | {by_uid[uid].ref: OLDER for uid in old}
    settled = going | stays.keys()
    return Cascade(
        asked=sorted(Member(level, by_uid[uid].ref, uid) for uid, level in asked.items()),
        following=_members(asked, following, by_uid),
        needed=_needed(facts, going),
        users=_users(facts, asked, following),
        stays=sorted(stays.items(), key=lambda each: each[0]),
        refused=[(str(ref), why) for ref, why in listed.refused if ref not in settled] + listed.nameless,
        untie=_ties(authorities, asked.keys() | following.keys(), [by_uid[uid] for uid in old]),
    )


@dataclass
class _Listed:
    """What bundles list."""

    wanted: dict[str, int] = field(default_factory=dict)
    """uid → level of objects that are proved to belong to them."""
    replaced: set[Ref] = field(default_factory=set)
    """Names of objects that another object has now."""
    refused: list[tuple[Ref, str]] = field(default_factory=list)
    nameless: list[tuple[str, str]] = field(default_factory=list)

    def look(self, authority: Authority, facts: Inventory) -> None:
        for member in authority.members:
            fact = facts.objects.get(member.ref)
            why = authority.out_of_reach(member.ref) or ("" if fact else facts.why_unread(member.ref))
            if why:
                self.refused.append((member.ref, why))
            elif fact and fact.uid != member.uid:
                self.replaced.add(member.ref)
            elif fact and authority.owns(fact):
                self.wanted[fact.uid] = member.level
            elif fact:
                self.refused.append((member.ref, UNPROVED))
        self.nameless += [(text, NAMELESS) for text in authority.nameless]


def _owned(authorities: Iterable[Authority], fact: InventoryItem) -> bool:
    return any(authority.owns(fact) for authority in authorities)


def _older(authorities: Sequence[Authority], wanted: Iterable[str], by_uid: Mapping[str, InventoryItem]) -> set[str]:
    """Return dependents of the bundles that are older than these: linked to a newer owner."""
    going = dependents([*wanted, *(authority.uid for authority in authorities)], by_uid)
    return {uid for uid in going if any(authority.is_older(by_uid[uid]) for authority in authorities)}


def _ties(
    authorities: Iterable[Authority], going: Iterable[str], old: Iterable[InventoryItem]
) -> dict[Ref, frozenset[str]]:
    ends = {*going, *(authority.uid for authority in authorities)}
    return {fact.ref: ties for fact in old if (ties := fact.owners & ends)}


def of_selection(facts: Inventory) -> Cascade:
    """Return the objects that are selected in namespaces."""
    stays: dict[Ref, Reason] = {}
    chosen: list[Ref] = []
    for ref in sorted(each for each in facts.selected if each.namespace):
        controller = facts.controller(ref)
        why = facts.stays.get(ref)
        if why is None and controller:
            why = Reason(ReasonCode.LEFT_TO_CONTROLLER, controller)
        if why:
            stays[ref] = why
        else:
            chosen.append(ref)
    by_uid = {fact.uid: fact for fact in facts.objects.values()}
    asked, following = split({facts.objects[ref].uid: 0 for ref in chosen}, by_uid)
    roots = {by_uid[uid].ref: [by_uid[root].ref for root in sorted(owners)] for uid, owners in following.items()}
    levels = _levels([by_uid[uid].ref for uid in asked], roots, facts)
    numbered = {facts.objects[ref].uid: level for ref, level in levels.items()}
    going = levels.keys() | roots.keys()
    return Cascade(
        asked=sorted(Member(level, by_uid[uid].ref, uid) for uid, level in numbered.items()),
        following=_members(numbered, following, by_uid),
        needed=_needed(facts, going),
        users=_users(facts, asked, following),
        stays=[(ref, why) for ref, why in stays.items() if ref not in going and not _made_from(ref, why, going)],
    )


def _made_from(ref: Ref, why: Reason, going: Container[Ref]) -> bool:
    """Return whether a controller creates an object from a deleted one and deletes it, too, without a reference."""
    return why.code is ReasonCode.MADE_BY_ENDPOINTS_CONTROLLER and Ref("", "Service", ref.namespace, ref.name) in going


def _levels(refs: Iterable[Ref], roots: Mapping[Ref, Sequence[Ref]], facts: Inventory) -> dict[Ref, int]:
    """Return the levels of objects, from 1; an object that needs a dependent needs its `roots`."""
    wanted = set(refs)
    edges = [
        Edge(source, target, edge.strength, edge.why, edge.via)
        for edge in facts.needs()
        for source in roots.get(edge.source, (edge.source,))
        for target in roots.get(edge.target, (edge.target,))
        if source != target and {source, target} <= wanted
    ]
    hints = {ref: facts.hints.get(ref, NOTHING) for ref in wanted}
    phases = {ref: phase for ref in wanted if (phase := hints[ref].phase or facts.rules.phase(ref)) is not None}
    waves = {ref: hint.wave for ref, hint in hints.items() if hint.wave is not None}
    found = order(wanted, edges, phases, waves)
    return {ref: number for number, level in enumerate(found.levels, start=1) for ref in level}


def _needed(facts: Inventory, going: Container[Ref]) -> list[Edge]:
    """Return the needs of objects that stay for objects that are deleted."""
    found: dict[tuple[Ref, Ref], Edge] = {}
    for edge in facts.needs():
        if edge.target in going and edge.source not in going and edge.strength != Strength.OWNER:
            found.setdefault((edge.target, edge.source), edge)
    return [found[pair] for pair in sorted(found) if facts.controller(pair[1]) is None]


def _users(
    facts: Inventory, asked: Iterable[str], following: Mapping[str, frozenset[str]]
) -> dict[str, frozenset[str]]:
    ends = {uid: frozenset([uid]) for uid in asked} | dict(following)
    users: dict[str, set[str]] = {}
    for edge in facts.needs():
        source, target = facts.objects.get(edge.source), facts.objects.get(edge.target)
        if source and target and source.uid in ends:
            for uid in ends.get(target.uid, frozenset()) - ends[source.uid]:
                users.setdefault(uid, set()).add(source.uid)
    return {uid: frozenset(some) for uid, some in users.items()}


def _members(
    levels: Mapping[str, int], following: Mapping[str, frozenset[str]], by_uid: Mapping[str, InventoryItem]
) -> dict[Member, frozenset[str]]:
    rows = (
        (Member(min(levels[root] for root in roots), by_uid[uid].ref, uid), roots) for uid, roots in following.items()
    )
    return dict(sorted(rows))
