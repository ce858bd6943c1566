"""The authority of a bundle: what it may delete, by its list and by what the listed objects prove.

A user who may write bundles may list anything, `Secret kube-system/x` too, and the user who deletes a bundle often has
more permissions than its author. So the list alone proves nothing:

| what | belongs to a bundle if |
| --- | --- |
| an object of the bundle's namespace | its uid is the listed one, and it was created for the bundle or is owned by it |
| a cluster-scoped object | its uid is the listed one, and it was created for the bundle |
| a Role, RoleBinding or ReferenceGrant of another namespace | as a cluster-scoped object |
| any other object of another namespace, a namespace, a CRD | never |
| an object older than the bundle | never, unless it was created for it, which proves that it is not older |

"Created for" and "owned by" are read from the object: a field manager or an ownerReference with the bundle's uid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.target.bundle import GROUP, KIND, is_bundle, members_of
from kubeferry.tasks.core.kube.kinds import NAMESPACE
from kubeferry.tasks.core.kube.objects import Ref, owners_of
from kubeferry.tasks.core.needs.cluster_scoped import CRD
from kubeferry.tasks.core.needs.outside import ELSEWHERE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.deletion.inventory import InventoryItem
    from kubeferry.tasks.core.formats.target.bundle import Member
    from kubeferry.tasks.core.jsondoc.edit import Object

NEVER = (NAMESPACE, CRD, (GROUP, KIND))
"""(group, kind) that no restore lists: their deletion would include what others have added since."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A bundle with all its parts, as read from the cluster."""

    namespace: str
    name: str
    uid: str
    created: str
    members: tuple[Member, ...]
    nameless: tuple[str, ...]
    """Entries that do not name an object."""
    parts: tuple[tuple[Ref, str], ...]
    """The objects of the bundle itself, with their uids; the first part is last, because it owns the others."""

    @classmethod
    def of(cls, first: Object, labelled: Iterable[Object]) -> Authority:
        """Return the bundle with `first` as its first part; the others are among those with the same label, `labelled`.

        Raises:
            UsageError: `first` is not the first part.
        """
        meta = first["metadata"]
        for owner in filter(is_bundle, owners_of(first)):
            raise UsageError(f"{meta['name']} is a part of bundle {owner.get('name')}: name that bundle")
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
        """Return why a bundle of this namespace cannot include such an object, "" if it can."""
        if (ref.group, ref.kind) in NEVER:
            return "is listed, but no restore lists its kind"
        if ref.namespace and ref.namespace != self.namespace and (ref.group, ref.kind) not in ELSEWHERE:
            return "is listed, but is in another namespace than the bundle"
        return ""

    def owns(self, fact: InventoryItem) -> bool:
        """Return whether an object proves that it belongs to the bundle."""
        if self.out_of_reach(fact.ref):
            return False
        owned = fact.ref.namespace == self.namespace and self.uid in fact.owners and not self.is_older(fact)
        return owned or self.uid in fact.made_for

    def is_older(self, fact: InventoryItem) -> bool:
        """Return whether an object is older than the bundle of its namespace: it must not be deleted with it.

        Times have a resolution of one second. Within the same second, an object with a controller counts as newer.
        """
        if fact.ref.namespace not in ("", self.namespace) or self.uid in fact.made_for:
            return False
        return fact.created < self.created or (fact.created == self.created and not fact.controlled)
