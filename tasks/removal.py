"""Delete objects in the reverse of their order: each by its uid, a level at a time, waiting until the level is gone.

What has another uid now is somebody else's and stays. A finalizer that does not end is told, never taken off unless
that is asked for. Namespaces and CRDs go only when nothing else uses them, since they take everything inside with them.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tasks.core.carry_types import KINDS_LEFT_OUT
from tasks.core.edit import EACH, found, get
from tasks.core.errors import (
    ConflictError,
    ExpiredError,
    ForbiddenError,
    KubeferryError,
    NotFoundError,
    UnreachableError,
)
from tasks.core.lease import KIND as LEASE
from tasks.core.lease import NAME as LEASE_NAME
from tasks.core.manifest import Problem
from tasks.core.objects import Ref, group_of, owners_of
from tasks.core.phases import Phase, phase_of
from tasks.core.related import CRD
from tasks.ports import progress
from tasks.ports.pages import begun_again
from tasks.ports.threads import in_threads
from tasks.ports.transport import THREADS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tasks.core.objects import Object
    from tasks.core.resources import Discovery, ResourceType
    from tasks.ports.cluster import Cluster

NAMESPACE = ("", "Namespace")
IN_EVERY_NAMESPACE = {("", "ServiceAccount", "default"), ("", "ConfigMap", "kube-root-ca.crt"), (*LEASE, LEASE_NAME)}
"""(group, kind, name) of what is made in a namespace as soon as it is there, or by a restore at work."""

SECONDS = 60
"""How long the objects of one level may take to go."""
NAMESPACE_SECONDS = 240
"""The same for namespaces: their controller tries again after up to a minute (pkg/controller/namespace)."""
WATCH_SECONDS = 5


@dataclass(frozen=True, order=True, slots=True)
class Member:
    """An object to delete: only the one with this uid."""

    level: int
    ref: Ref
    uid: str


@dataclass
class Removed:
    """What became of objects that were to be deleted."""

    gone: list[Member] = field(default_factory=list)
    left: list[Problem] = field(default_factory=list)
    """What is still there, and why."""


@dataclass
class Removal:
    """A deletion under way."""

    cluster: Cluster
    discovery: Discovery
    title: str
    force_finalizers: bool = False
    seconds: int = SECONDS
    after: Callable[[int, list[Member]], None] = lambda _level, _gone: None
    """Called after each level with what is gone of it."""
    removed: Removed = field(default_factory=Removed)

    def run(self, members: Iterable[Member]) -> Removed:
        """Delete objects, the highest level first; return what became of them."""
        todo = sorted(members, reverse=True)
        done = 0
        for level, some in groupby(todo, key=lambda each: each.level):
            of_level = list(some)
            gone = self._level(of_level)
            self.removed.gone += gone
            self.after(level, gone)
            done += len(of_level)
            progress.step(self.title, done, len(todo))
        return self.removed

    def _level(self, members: list[Member]) -> list[Member]:
        asked = [each for each in in_threads(self._delete, members, THREADS) if each]
        waiting = self._until_gone(asked)
        if waiting and self.force_finalizers:
            for each in waiting:
                self._force(each)
            waiting = self._until_gone(waiting)
        for member, live in waiting.items():
            self._leave(member.ref, _still_there(live, self._patience((member.ref.group, member.ref.kind))))
        return [each for each in asked if each not in waiting]

    def _delete(self, member: Member) -> Member | None:
        """Ask for one deletion; return the member if it is, or will be, gone."""
        kind = self.discovery.by_kind(member.ref.group, member.ref.kind)
        if kind is None:
            return member  # with its CRD, all of its kind went
        try:
            why = self._used(member.ref)
            if why:
                self._leave(member.ref, why)
                return None
            self.cluster.delete(
                kind, member.ref.namespace, member.ref.name, uid=member.uid, propagation=_propagation(member.ref)
            )
        except NotFoundError:
            pass
        except ConflictError:
            self._leave(member.ref, "another object has that name now")
            return None
        except KubeferryError as error:
            self._leave(member.ref, str(error))
            return None
        return member

    def _leave(self, ref: Ref, why: str) -> None:
        self.removed.left.append(Problem(what=str(ref), why=why))

    # --- waiting

    def _until_gone(self, members: Iterable[Member]) -> dict[Member, Object]:
        """Return those that are still there when time is up, as they are."""
        places: dict[tuple[str, str, str], list[Member]] = defaultdict(list)
        for each in members:
            places[each.ref.group, each.ref.kind, each.ref.namespace].append(each)
        now = time.monotonic()

        def gone(place: tuple[str, str, str]) -> dict[Member, Object]:
            return self._gone(place, places[place], now + self._patience(place[:2]))

        found = in_threads(gone, sorted(places), THREADS)
        return {member: live for each in found for member, live in each.items()}

    def _patience(self, kind: tuple[str, str]) -> int:
        return max(self.seconds, NAMESPACE_SECONDS) if kind == NAMESPACE else self.seconds

    def _gone(self, place: tuple[str, str, str], members: list[Member], limit: float) -> dict[Member, Object]:
        kind = self.discovery.by_kind(*place[:2])
        while kind:
            left, revision = self._seen(kind, place[2], {each.uid: each for each in members})
            if not left or time.monotonic() >= limit:
                return left
            self._watch(kind, place[2], revision, len(left), limit)
        return {}

    def _seen(self, kind: ResourceType, namespace: str, wanted: dict[str, Member]) -> tuple[dict[Member, Object], str]:
        def read() -> tuple[dict[Member, Object], str]:
            left: dict[Member, Object] = {}
            revision = ""
            for page in self.cluster.pages(kind, namespace):
                revision = page.revision
                left |= {wanted[uid]: item for item in page.items if (uid := item["metadata"]["uid"]) in wanted}
            return left, revision

        try:
            return begun_again(read)
        except NotFoundError:  # its CRD is gone
            return {}, ""

    def _watch(self, kind: ResourceType, namespace: str, revision: str, count: int, limit: float) -> None:
        """Return when as many were deleted as are waited for, or after a few seconds."""
        seconds = max(1, min(WATCH_SECONDS, int(limit - time.monotonic())))
        try:
            for event, _ in self.cluster.watch(kind, namespace, revision=revision, seconds=seconds):
                count -= event == "DELETED"
                if count <= 0:
                    return
        except (ExpiredError, UnreachableError, ForbiddenError, NotFoundError):
            time.sleep(0.5)  # the next look lists anew

    def _force(self, member: Member) -> None:
        kind = self.discovery.by_kind(member.ref.group, member.ref.kind)
        patch = {"metadata": {"uid": member.uid, "finalizers": None}}
        try:
            if kind:
                self.cluster.patch(kind, member.ref.namespace, member.ref.name, patch)
        except (NotFoundError, ConflictError):
            return

    # --- what others use

    def _used(self, ref: Ref) -> str:
        """Return why a namespace or CRD has to stay; "" where it need not, and for every other kind."""
        if (ref.group, ref.kind) == NAMESPACE:
            return self._inhabited(ref.name)
        if (ref.group, ref.kind) == CRD:
            return self._in_use(ref.name)
        return ""

    def _in_use(self, name: str) -> str:
        kind = next((each for each in self.discovery.types if each.group_resource == name), None)
        some = next(iter(self.cluster.pages(kind, query={"limit": "1"})), None) if kind else None
        item = next(iter(some.items), None) if some else None
        return f"{Ref.of(item)} is of its kind" if item else ""

    def _inhabited(self, namespace: str) -> str:
        ours = {each.uid for each in self.removed.gone}
        for kind in self.discovery.types:
            if not kind.namespaced or not {"list", "create"} <= kind.verbs or (kind.group, kind.kind) in KINDS_LEFT_OUT:
                continue
            for page in self.cluster.pages(kind, namespace):
                for item in page.items:
                    if item["metadata"]["uid"] not in ours and not self._of_the_namespace(item):
                        return f"{Ref.of(item)} is in it and is not of this restore"
        return ""

    def _of_the_namespace(self, item: Object) -> bool:
        """Return whether a cluster makes such an object in every namespace, or it goes with another one in it."""
        ref = Ref.of(item)
        owners = [self.discovery.by_kind(group_of(each["apiVersion"]), each["kind"]) for each in owners_of(item)]
        return (
            (ref.group, ref.kind, ref.name) in IN_EVERY_NAMESPACE
            or bool(item["metadata"].get("deletionTimestamp"))
            or any(owner is None or owner.namespaced for owner in owners)
        )


def _propagation(ref: Ref) -> str:
    """Return how dependents go: before what a controller made dependents of (so that it is gone with them), else after.

    Kubernetes: "Garbage collection", foreground and background cascading deletion.
    """
    with_dependents = phase_of(ref) in (Phase.WORKLOAD, Phase.TRAFFIC, Phase.CUSTOM) or ref.type == "Service"
    return "Foreground" if with_dependents else "Background"


def _still_there(live: Object, seconds: int) -> str:
    finalizers = live["metadata"].get("finalizers") or []
    waits = f": it waits for {', '.join(finalizers)}" if finalizers else ""
    said = [each.get("message", "") for _, each in found(live, ("status", "conditions", EACH)) if _held_up(each)]
    waits += f": {'; '.join(said)}" if said else ""
    return f"is being deleted and still there after {seconds} s{waits}"


def _held_up(condition: Any) -> bool:
    """Return whether a condition tells why a namespace does not go (NamespaceDeletionDiscoveryFailure and others)."""
    return bool(get(condition, "status") == "True" and str(get(condition, "type")).startswith("Namespace"))
