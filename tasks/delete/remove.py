"""Delete objects in reverse order, level by level, with uid preconditions; wait until each level is gone.

An object with another uid belongs to others and stays. A finalizer that is not removed in time is reported, and removed
only with `--force-finalizers`. Namespaces and CRDs are deleted only when nothing else uses them, because their deletion
deletes all objects in them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubeferry.tasks.core.deletion.finalizers import (
    COLLECTORS,
    finalizers_of,
    own_finalizers,
    still_there,
    waits_for_dependents,
)
from kubeferry.tasks.core.errors import ConflictError, KubeferryError, NotFoundError
from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.formats.target.bundle import Member
from kubeferry.tasks.core.graph.priorities import Priority, priority_of
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.cluster_scoped import CRD
from kubeferry.tasks.delete.in_use import NAMESPACE, in_use
from kubeferry.tasks.delete.wait_gone import DeletionWait
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.threads import in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import Discovery
    from kubeferry.tasks.ports.cluster.client import Cluster

__all__ = ["Member", "Removal", "Removed"]

SECONDS = 60
"""Seconds in which the objects of one level have to be gone."""

NAMESPACE_TIMES = 4
"""Factor of the time for namespaces: their controller retries after up to a minute (pkg/controller/namespace)."""

Following = dict[Member, frozenset[str]]
"""Object that the garbage collector deletes after its owners → the uids of the owners."""


@dataclass
class Removed:
    """The result of deleting objects."""

    gone: list[Member] = field(default_factory=list)
    left: list[Problem] = field(default_factory=list)
    """Objects that still exist, and why."""
    forced: list[Problem] = field(default_factory=list)
    """Objects whose finalizers were removed, and which."""


@dataclass
class Removal:
    """A deletion in progress."""

    cluster: Cluster
    discovery: Discovery
    title: str
    force_finalizers: bool = False
    seconds: int = SECONDS
    after: Callable[[int, list[Member]], None] = lambda _level, _gone: None
    """Called after each level with its deleted objects."""
    check: Callable[[], None] = lambda: None
    """Raises if the deletion must stop; called before each deletion, and while waiting."""
    users: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """uid → uids of objects that need it: it is not deleted while one of them exists."""
    removed: Removed = field(default_factory=Removed)

    def __post_init__(self) -> None:
        """Start without kept objects."""
        self._wait = DeletionWait(self.cluster, self.discovery, self._patience, self.check)
        self._kept: dict[str, Ref] = {}
        """Objects that still exist, by uid."""

    def run(self, members: Iterable[Member], following: Mapping[Member, frozenset[str]] | None = None) -> Removed:
        """Delete objects, the highest level first; return the result.

        The garbage collector deletes `following` after their owners: they are awaited in their level, which is that of
        the owner deleted last.
        """
        levels: dict[int, tuple[list[Member], Following]] = defaultdict(lambda: ([], {}))
        for each in sorted(members, reverse=True):
            levels[each.level][0].append(each)
        for each, owners in (following or {}).items():
            levels[each.level][1][each] = owners
        total, done = sum(len(asked) + len(follow) for asked, follow in levels.values()), 0
        for level, (asked, follow) in sorted(levels.items(), reverse=True):
            gone = self._level(asked, follow)
            self.removed.gone += gone
            self.after(level, gone)
            done += len(asked) + len(follow)
            progress.step(self.title, done, total)
        return self.removed

    def _level(self, members: list[Member], following: Following) -> list[Member]:
        asked = [each for each in in_threads(self._delete, members, THREADS) if each]
        going = [*asked, *self._with_owners(following)]
        waiting = self._wait.until_gone(going)
        owned = self._owned(waiting)
        if waiting and self.force_finalizers:
            self._force(waiting, owned)
            waiting = self._wait.until_gone(waiting)
            owned = self._owned(waiting)
        for member, live in waiting.items():
            seconds = self._patience((member.ref.group, member.ref.kind))
            self._keep(member, still_there(live, seconds, finalizers_of(live, owned)))
        return [each for each in going if each not in waiting]

    def _with_owners(self, following: Following) -> list[Member]:
        """Return the dependents whose owners are all being deleted; record the others as kept."""
        for each, owners in following.items():
            if kept := sorted(self._kept[uid] for uid in owners & self._kept.keys()):
                self._keep(each, f"goes with {kept[0]}, which is still there")
        return [each for each in following if each.uid not in self._kept]

    def _patience(self, kind: tuple[str, str]) -> int:
        return self.seconds * NAMESPACE_TIMES if kind == NAMESPACE else self.seconds

    def _delete(self, member: Member) -> Member | None:
        """Delete one object; return the member if it is, or will be, gone."""
        self.check()
        ref, kind = member.ref, self.discovery.by_kind(member.ref.group, member.ref.kind)
        silent = next((why for what, why in self.discovery.problems.items() if what.partition("/")[0] == ref.group), "")
        if kind is None and not silent:
            return member  # all objects of its kind were deleted with its CRD
        why = ""
        try:
            busy = self._needed(member) or in_use(self.cluster, self.discovery, ref, self.removed.gone)
            why = busy if kind else silent
            if kind and not why:
                self.cluster.delete(kind, ref.namespace, ref.name, uid=member.uid, propagation=_propagation(ref))
        except NotFoundError:
            pass
        except ConflictError:
            why = "another object has that name now"
        except KubeferryError as error:
            why = str(error)
        if why:
            self._keep(member, why)
        return None if why else member

    def _needed(self, member: Member) -> str:
        """Return why an object must stay: an object that still exists may need it for its own deletion."""
        kept = sorted(self._kept[uid] for uid in self.users.get(member.uid, frozenset()) & self._kept.keys())
        return f"is needed by {kept[0]}, which is still there" if kept else ""

    def _keep(self, member: Member, why: str) -> None:
        self._kept[member.uid] = member.ref
        self.removed.left.append(Problem(what=str(member.ref), why=why))

    # --- finalizers

    def _owned(self, waiting: dict[Member, Object]) -> dict[str, list[Object]]:
        """Return the dependents in namespaces where an object waits for them; {} if no object does."""
        namespaces = {each.ref.namespace for each, live in waiting.items() if waits_for_dependents(live)}
        return self._wait.owned(namespaces - {""})

    def _force(self, waiting: dict[Member, Object], owned: dict[str, list[Object]]) -> None:
        """Remove the finalizers of the objects that are being deleted, and of the dependents that these wait for."""
        stuck = [
            each for live in waiting.values() for each in (live, *finalizers_of(live, owned)) if own_finalizers(each)
        ]
        for live in {each["metadata"]["uid"]: each for each in stuck}.values():
            self._strip(live)

    def _strip(self, live: Object) -> None:
        ref, taken = Ref.of(live), own_finalizers(live)
        kind = self.discovery.by_kind(ref.group, ref.kind)
        if kind is None or not live["metadata"].get("deletionTimestamp"):
            return
        rest = [each for each in live["metadata"]["finalizers"] if each in COLLECTORS]
        patch = {"metadata": {"uid": live["metadata"]["uid"], "finalizers": rest}}
        try:
            self.cluster.patch(kind, ref.namespace, ref.name, patch)
        except (NotFoundError, ConflictError):
            return
        except KubeferryError as error:
            self.removed.left.append(Problem(what=str(ref), why=f"keeps its finalizers: {error}"))
            return
        self.removed.forced.append(Problem(what=str(ref), why=f"its finalizers were removed: {', '.join(taken)}"))


def _propagation(ref: Ref) -> str:
    """Return the propagation policy: Foreground for objects whose controller creates dependents, to be gone with them.

    Kubernetes: "Garbage collection", foreground and background cascading deletion.
    """
    if (ref.group, ref.kind) in (NAMESPACE, CRD):
        return "Background"  # they have controllers; the garbage collector may pause after a CRD is deleted
    with_dependents = (
        priority_of(ref) in (Priority.WORKLOAD, Priority.TRAFFIC, Priority.CUSTOM) or ref.type == "Service"
    )
    return "Foreground" if with_dependents else "Background"
