"""Which owned objects are left to the controller that will make them again (design.md 7), and how owners are re-linked.

Only what a controller of Kubernetes itself remakes from its owner alone is in the table. What holds state (Secrets,
ConfigMaps, claims, custom resources) is restored even when owned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.formats.links import owner_ref
from kubeferry.tasks.core.kube.kinds import REBUILT

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from kubeferry.tasks.core.formats.links import Links, Owner
    from kubeferry.tasks.core.kube.objects import Ref


def left_to(
    ref: Ref,
    links: Links,
    there: Container[Ref],
    makers: Callable[[tuple[str, str]], frozenset[tuple[str, str]]] = lambda kind: REBUILT.get(kind, frozenset()),
) -> Ref | None:
    """Return the controller that will make `ref` again, if that controller is itself among what is restored.

    `makers` tells which kinds of controllers make a kind again; `RuleBook.makers` knows those of plug-ins too.
    """
    kinds = makers((ref.group, ref.kind))
    for owner in links.owners:
        found = owner_ref(owner, ref.namespace)
        if owner.controller and (found.group, found.kind) in kinds and found in there:
            return found
    return None


def relinked(
    owners: Iterable[Owner], uid_of: Callable[[Owner], str | None]
) -> tuple[list[dict[str, Any]], list[Owner]]:
    """Return ownerReferences with the owners' new uids, and the owners that have none.

    An owner without a uid is left out: a reference to a uid that does not exist makes the garbage collector delete the
    object (kubernetes.io: owners and dependents). `controller` and `blockOwnerDeletion` are kept as they were.
    """
    references: list[dict[str, Any]] = []
    missing: list[Owner] = []
    for owner in owners:
        uid = uid_of(owner)
        if uid is None:
            missing.append(owner)
            continue
        reference = {"apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": uid}
        flags = {"controller": owner.controller, "blockOwnerDeletion": owner.block_owner_deletion}
        references.append(reference | {flag: value for flag, value in flags.items() if value is not None})
    return references, missing
