"""What the garbage collector takes when objects are deleted, and which of these it would take anyway."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from kubeferry.tasks.core.deletion.inventory import Fact


def split(
    wanted: Mapping[str, int], by_uid: Mapping[str, Fact], never: Container[str] = ()
) -> tuple[dict[str, int], dict[str, frozenset[str]]]:
    """Return what has to be deleted of what is `wanted` (uid → level), and all that goes with it → with which of it.

    Nothing in `never` goes by itself.
    """
    inside = wanted.keys() | followers(wanted, by_uid, never).keys()
    held = {uid for uid in wanted if (owners := _owners(by_uid[uid], by_uid)) and owners <= inside}
    asked = {uid: level for uid, level in wanted.items() if uid not in held}
    following = followers(asked, by_uid, never)
    circle = held - following.keys()  # owners of one another: nobody else begins
    asked |= {uid: wanted[uid] for uid in circle}
    return asked, followers(asked, by_uid, never) if circle else following


def followers(
    roots: Iterable[str], by_uid: Mapping[str, Fact], never: Container[str] = ()
) -> dict[str, frozenset[str]]:
    """Return the uid of each object that the garbage collector deletes with `roots` → the roots that it goes with.

    It goes when the last of its owners is gone (kubernetes.io: Garbage collection); an owner that is not there does not
    count. Nothing in `never` goes.
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


def _owners(fact: Fact, by_uid: Mapping[str, Fact], others: Container[str] = ()) -> set[str]:
    """Return the owners of an object that are there: in its namespace or cluster-wide, as no other can be one."""
    spaces = ("", fact.ref.namespace)
    return {
        owner
        for owner in fact.owners
        if (by_uid[owner].ref.namespace in spaces if owner in by_uid else owner in others)
    }
