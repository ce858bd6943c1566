"""Which ownerReferences of the old cluster cannot be kept anywhere, and why.

A reference has no namespace: its owner stands in the namespace of the object, or in none. The garbage collector deletes
an object whose owner is not there, and an owner in another namespace is not there; one of a cluster-wide object that
is in a namespace can never be found (kubernetes.io: owners and dependents). An owner of the same name is no
substitute: it is the uid that says which object was meant. It refuses to guess where the source tells nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.links import owner_ref
from kubeferry.tasks.core.kube.kinds import CLUSTER_KINDS, GROUP_OF_KIND

if TYPE_CHECKING:
    from kubeferry.tasks.core.formats.links import Links, Owner
    from kubeferry.tasks.core.kube.objects import Ref

IN_A_NAMESPACE = "is in a namespace, and owns nothing cluster-wide"


FORMER = "was another object of that name, which was gone already"


class Owners:
    """What is known of the source's objects: filled in any order, asked when all are in."""

    def __init__(self) -> None:
        self._at: dict[str, Ref] = {}
        self._uids: dict[Ref, str] = {}

    def add(self, ref: Ref, links: Links) -> None:
        """Take one object, saved or not."""
        if links.uid:
            self._at[links.uid] = ref
            self._uids[ref] = links.uid

    def refusal(self, child: Ref, owner: Owner) -> str:
        """Return what is wrong with an owner of an object, as the end of a sentence that begins with it; else ""."""
        found = self._at.get(owner.uid)
        if found is not None and found.namespace not in ("", child.namespace):
            return f"is in another namespace, {found.namespace}" if child.namespace else IN_A_NAMESPACE
        if not child.namespace and _has_namespace(owner):
            return IN_A_NAMESPACE
        others = (self._uids.get(owner_ref(owner, space)) for space in (child.namespace, ""))
        return FORMER if owner.uid and found is None and any(others) else ""


def _has_namespace(owner: Owner) -> bool:
    """Return whether objects of the owner's kind are in namespaces; False where the kind is not Kubernetes' own."""
    group = owner_ref(owner, "").group
    return GROUP_OF_KIND.get(owner.kind) == group and (group, owner.kind) not in CLUSTER_KINDS
