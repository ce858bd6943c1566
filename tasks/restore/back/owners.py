"""The owners of what an undo gives back.

The garbage collector deletes an object whose owners are all gone, and one that was made again has another uid
(kubernetes.io: garbage collection, owners and dependents). So an object comes back without those of its owners that are
not there, and is linked to them at the end, when they were made again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import ForbiddenError, KubeferryError, NotFoundError
from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.core.kube.objects import Ref, owners_of, with_owners
from kubeferry.tasks.restore.managers import change_metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import Discovery, ResourceType
    from kubeferry.tasks.ports.cluster.client import Cluster

    _Owners = list[dict[str, Any]]


@dataclass
class Owners:
    """What is known of owners while a restore is reverted; safe for use by many threads."""

    cluster: Cluster
    discovery: Discovery
    _apart: dict[Ref, Object] = field(default_factory=dict)
    """What came back without an owner, each with its whole former content."""
    _again: dict[str, str] = field(default_factory=dict)
    """Former uid → uid of what came back."""

    def without_gone(self, former: Object) -> Object:
        """Return a former content without the owners that are not there; the same object if all are."""
        owners = owners_of(former)
        kept = [each for each in owners if self._is_there(former, each)]
        if len(kept) == len(owners):
            return former
        return with_owners(former, kept)

    def untie(self, kind: ResourceType, former: Object, given: Object) -> None:
        """Take the owners that `given` has no more from an object that has its former content otherwise.

        Raises:
            ConflictError: somebody changes it all the time.
            NotFoundError: it is gone, or on its way out.
        """
        ref, kept = Ref.of(former), owners_of(given)
        gone = {each["uid"] for each in owners_of(former) if each not in kept}
        if not self._change(kind, ref, former["metadata"]["uid"], lambda owners: _without(owners, gone)):
            raise NotFoundError(f"{ref} is not there any more")

    def came_back(self, former: Object, given: Object, uid: str) -> None:
        """Note what came back, with which uid, and whether without owners."""
        self._again[str(former["metadata"]["uid"])] = uid
        if given is not former:
            self._apart[Ref.of(former)] = former

    def awaited(self, ref: Ref) -> bool:
        """Return whether an object came back without an owner, and is to be linked."""
        return ref in self._apart

    def relink(self) -> Iterator[tuple[Ref, str]]:
        """Link each object that came back without an owner; yield it and why it stays without one, "" if linked."""
        for ref, former in sorted(self._apart.items(), key=lambda each: each[0]):
            wanted, missing = list[dict[str, Any]](), list[str]()
            for each in owners_of(former):
                uid = self._again.get(each["uid"])
                if uid or self._is_there(former, each):
                    wanted.append(each | {"uid": uid or each["uid"]})
                else:
                    missing.append(f"{each['kind']} {each['name']}")
            try:
                there = self._link(ref, self._again[former["metadata"]["uid"]], wanted)
            except KubeferryError as error:
                yield ref, f"is there again without its owners: {error}"
                continue
            lost = f"is there again without its owner {', '.join(missing)}" if missing else ""
            yield ref, lost if there else "was deleted meanwhile"

    def _link(self, ref: Ref, uid: str, wanted: list[dict[str, Any]]) -> bool:
        """Give an object owners beside those that it has; return whether it is there."""
        kind, uids = self.discovery.by_kind(ref.group, ref.kind), {each["uid"] for each in wanted}
        return kind is not None and self._change(kind, ref, uid, lambda owners: [*wanted, *_without(owners, uids)])

    def _change(self, kind: ResourceType, ref: Ref, uid: str, change: Callable[[_Owners], _Owners]) -> bool:
        """Change the owners of an object; return whether it is there."""

        def metadata(live: Object) -> Object | None:
            owners = change(owners_of(live))
            mine = live["metadata"]["uid"] == uid and "deletionTimestamp" not in live["metadata"]
            if not mine:
                raise NotFoundError(f"{ref} is another object now, or is being deleted")
            return {"uid": uid, "ownerReferences": owners} if owners != owners_of(live) else None

        try:
            return change_metadata(self.cluster, kind, ref, metadata)
        except NotFoundError:
            return False

    def _is_there(self, obj: Object, owner: dict[str, Any]) -> bool:
        """Return whether an owner is there; one that cannot be read is taken to be, since an undo did not delete it."""
        kind = self.discovery.by_kind(group_of(owner["apiVersion"]), owner["kind"])
        if kind is None:
            return True
        try:
            live = self.cluster.find(
                kind, obj["metadata"].get("namespace", "") if kind.namespaced else "", owner["name"]
            )
        except ForbiddenError:
            return True
        return live is not None and live["metadata"]["uid"] == owner["uid"]


def _without(owners: _Owners, uids: Collection[str]) -> _Owners:
    return [each for each in owners if each["uid"] not in uids]
