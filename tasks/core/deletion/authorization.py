"""What a bundle may delete: what it lists, and what the listed objects themselves prove.

Who may write bundles may list anything, `Secret kube-system/x` too, and who deletes a bundle may often delete more than
who wrote it. So the list alone is worth nothing:

| what | is a bundle's own if |
| --- | --- |
| an object of the bundle's namespace | its uid is the listed one, and it was created for the bundle or is owned by it |
| a cluster-wide object | its uid is the listed one, and it was created for the bundle |
| an object of any other namespace, a namespace, a CRD | never |
| what is older than the bundle | never, unless it was created for it, which settles that it is not |

"Created for" and "owned by" are read from the object: a field manager or an ownerReference with the bundle's uid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.bundle import GROUP, KIND, is_bundle, members_of
from kubeferry.tasks.core.kube.kinds import NAMESPACE
from kubeferry.tasks.core.kube.objects import Ref, owners_of
from kubeferry.tasks.core.needs.cluster_scoped import CRD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.deletion.inventory import InventoryItem
    from kubeferry.tasks.core.formats.bundle import Member
    from kubeferry.tasks.core.jsondoc.edit import Object

NEVER = (NAMESPACE, CRD, (GROUP, KIND))
"""(group, kind) of what no restore lists: they would take along what others put there since."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A bundle with all its parts, as it is on the cluster."""

    namespace: str
    name: str
    uid: str
    created: str
    members: tuple[Member, ...]
    nameless: tuple[str, ...]
    """What it lists that is no name of an object."""
    parts: tuple[tuple[Ref, str], ...]
    """The objects that it is made of, with their uids; the first one is last, since it owns the others."""

    @classmethod
    def of(cls, first: Object, labelled: Iterable[Object]) -> Authority:
        """Return the bundle of which `first` is the first part; the others are among those `labelled` as it is.

        Raises:
            UsageError: `first` is a further part itself.
        """
        meta = first["metadata"]
        for owner in filter(is_bundle, owners_of(first)):
            raise UsageError(f"{meta['name']} is a part of bundle {owner.get('name')}: name that one")
        further = [each for each in labelled if any(owner["uid"] == meta["uid"] for owner in owners_of(each))]
        listed = [members_of(each) for each in (first, *further)]
        return cls(
            namespace=meta["namespace"],
            name=meta["name"],
            uid=meta["uid"],
            created=meta["creationTimestamp"],
            members=tuple(sorted({member for members, _ in listed for member in members})),
            nameless=tuple(text for _, nameless in listed for text in nameless),
            parts=tuple((Ref.of(each), str(each["metadata"]["uid"])) for each in (*further, first)),
        )

    def out_of_reach(self, ref: Ref) -> str:
        """Return why a bundle of this namespace can have no such object, "" where it can."""
        if (ref.group, ref.kind) in NEVER:
            return "is listed, and no restore lists its kind"
        if ref.namespace and ref.namespace != self.namespace:
            return "is listed, and stands in another namespace than the bundle"
        return ""

    def owns(self, fact: InventoryItem) -> bool:
        """Return whether an object proves that it belongs to the bundle."""
        if self.out_of_reach(fact.ref):
            return False
        owned = bool(fact.ref.namespace) and self.uid in fact.owners and not self.is_older(fact)
        return owned or self.uid in fact.made_for

    def is_older(self, fact: InventoryItem) -> bool:
        """Return whether an object was there before the bundle of its namespace: nothing may take it along.

        Times are told to the second. Of what came in the same one, what a controller made is taken for newer.
        """
        if fact.ref.namespace not in ("", self.namespace) or self.uid in fact.made_for:
            return False
        return fact.created < self.created or (fact.created == self.created and not fact.controlled)
