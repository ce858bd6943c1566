"""The owners of what an undo gives back.

The garbage collector deletes an object whose owners are all gone, and one that was made again has another uid
(kubernetes.io: garbage collection, owners and dependents). So an object comes back without those of its owners that are
not there, and is linked to them at the end, when they were made again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import ForbiddenError, KubeferryError
from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.core.kube.objects import Ref, owners_of
from kubeferry.tasks.ports.cluster.transport import retry_on_conflict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import Discovery, ResourceType
    from kubeferry.tasks.ports.cluster.client import Cluster


@dataclass
class Owners:
    """What is known of owners while a restore is reverted; safe for use by many threads."""

    cluster: Cluster
    discovery: Discovery
    apart: dict[Ref, Object] = field(default_factory=dict)
    """Objects that came back without an owner, each with its whole former content."""
    _again: dict[str, str] = field(default_factory=dict)
    """Former uid → uid of what was made again."""

    def without_gone(self, former: Object) -> Object:
        """Return a former content without the owners that are not there."""
        owners = owners_of(former)
        kept = [each for each in owners if self._is_there(former, each)]
        if len(kept) == len(owners):
            return former
        self.apart[Ref.of(former)] = former
        meta = {key: value for key, value in former["metadata"].items() if key != "ownerReferences"}
        return former | {"metadata": meta | ({"ownerReferences": kept} if kept else {})}

    def made_again(self, former: Object, created: Object) -> None:
        """Note the new uid of what was made again."""
        self._again[str(former["metadata"]["uid"])] = str(created["metadata"]["uid"])

    def relink(self) -> Iterator[tuple[Ref, str]]:
        """Link each object that came back without an owner; yield it and why it stays without one, "" if linked."""
        for ref, former in sorted(self.apart.items()):
            kind = self.discovery.by_kind(ref.group, ref.kind)
            wanted, missing = list[dict[str, Any]](), list[str]()
            for each in owners_of(former):
                uid = self._again.get(each["uid"])
                if uid or self._is_there(former, each):
                    wanted.append(each | {"uid": uid or each["uid"]})
                else:
                    missing.append(f"{each['kind']} {each['name']}")
            try:
                there = kind is not None and self._link(kind, ref, wanted)
            except KubeferryError as error:
                yield ref, f"is there again without its owners: {error}"
                continue
            lost = f"is there again without its owner {', '.join(missing)}" if missing else ""
            yield ref, lost if there else "was deleted meanwhile"

    def _link(self, kind: ResourceType, ref: Ref, wanted: list[dict[str, Any]]) -> bool:
        """Give an object owners beside those that it has; return whether it is there."""

        def once() -> bool:
            live = self.cluster.find(kind, ref.namespace, ref.name)
            if live is None or live["metadata"].get("deletionTimestamp"):
                return False
            uids = {each["uid"] for each in wanted}
            owners = [*wanted, *(each for each in owners_of(live) if each["uid"] not in uids)]
            if owners != owners_of(live):
                seen = {key: live["metadata"][key] for key in ("uid", "resourceVersion")}
                self.cluster.patch(kind, ref.namespace, ref.name, {"metadata": seen | {"ownerReferences": owners}})
            return True

        return retry_on_conflict(once)

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
