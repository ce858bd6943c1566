"""Wait until deleted objects are gone: a LIST and a watch for each kind and namespace, up to a limit."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.deletion.finalizers import by_owner, held_up, own_finalizers
from kubeferry.tasks.core.errors import ExpiredError, ForbiddenError, KubeferryError, NotFoundError, UnreachableError
from kubeferry.tasks.core.kube.kinds import NAMESPACE
from kubeferry.tasks.core.kube.objects import owners_of
from kubeferry.tasks.core.selection.exclusions import type_left_out
from kubeferry.tasks.ports.cluster.pages import begun_again
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.threads import in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kubeferry.tasks.core.formats.target.bundle import Member
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import Discovery, ResourceType
    from kubeferry.tasks.ports.cluster.client import Cluster

WATCH_SECONDS = 5

NOTE_SECONDS = 10
"""Seconds after which a progress note says what is awaited."""

SOON = 1
"""The same for a namespace, whose conditions say it after its first look at its content."""

Place = tuple[str, str, str]
"""Group, kind and namespace of one LIST."""


@dataclass(frozen=True)
class DeletionWait:
    """Waits for deletions; `patience` returns the limit in seconds by (group, kind), `check` raises to stop."""

    cluster: Cluster
    discovery: Discovery
    patience: Callable[[tuple[str, str]], float]
    check: Callable[[], None] = lambda: None

    def until_gone(self, members: Iterable[Member]) -> dict[Member, Object]:
        """Return the objects that still exist at the limit, as last read."""
        places: dict[Place, list[Member]] = defaultdict(list)
        for each in members:
            places[each.ref.group, each.ref.kind, each.ref.namespace].append(each)
        began = time.monotonic()
        found = in_threads(lambda place: self._gone(place, places[place], began), sorted(places), THREADS)
        return {member: live for each in found for member, live in each.items()}

    def _gone(self, place: Place, members: list[Member], began: float) -> dict[Member, Object]:
        kind, noted = self.discovery.by_kind(*place[:2]), ""
        limit, soon = began + self.patience(place[:2]), place[:2] == NAMESPACE
        while kind:
            self.check()
            left, revision = self._seen(kind, place[2], {each.uid: each for each in members})
            if not left or time.monotonic() >= limit:
                return left
            if (soon or not noted) and time.monotonic() > began + (SOON if soon else NOTE_SECONDS):
                text = _waiting(left)
                if text != noted:
                    progress.note(text)
                noted = text
            until = min(limit, time.monotonic() + SOON) if soon else limit
            self._watch(kind, place[2], revision, len(left), until)
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
        """Return after `count` deletions, or after a few seconds."""
        seconds = max(1, min(WATCH_SECONDS, int(limit - time.monotonic())))
        try:
            for event, _ in self.cluster.watch(kind, namespace, revision=revision, seconds=seconds):
                count -= event == "DELETED"
                if count <= 0:
                    return
        except (ExpiredError, UnreachableError, ForbiddenError, NotFoundError):
            time.sleep(0.5)  # the caller lists again

    def owned(self, namespaces: Iterable[str]) -> dict[str, list[Object]]:
        """Return uid of an owner → its dependents in these namespaces, as far as they can be read."""
        types = [each for each in self.discovery.types if each.namespaced and _listed(each)]
        places = [(kind, namespace) for namespace in sorted(namespaces) for kind in types]
        return by_owner(obj for some in in_threads(lambda place: self._owned(*place), places, THREADS) for obj in some)

    def _owned(self, kind: ResourceType, namespace: str) -> list[Object]:
        try:
            return [each for each in self.cluster.list(kind, namespace) if owners_of(each)]
        except KubeferryError:  # it only helps to name the cause
            return []


def _listed(kind: ResourceType) -> bool:
    return type_left_out(kind.group, kind.resource, kind.verbs) is None


def _waiting(left: dict[Member, Object]) -> str:
    first, live = min(left.items())
    more = f" and {len(left) - 1} more" if len(left) > 1 else ""
    if (first.ref.group, first.ref.kind) == NAMESPACE:
        why = held_up(live)
        return f"waiting for {first.ref}{more} to go" + (f": {why}" if why else "")
    finalizers = own_finalizers(live)
    return f"waiting for {first.ref}{more} to go" + (f": {', '.join(finalizers)} keeps it" if finalizers else "")
