"""Do what `decide` says about an object that the target has already: merge, update, make anew, link, or leave it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tasks.core.errors import AlreadyExistsError, ConflictError, InvalidError, NotFoundError
from tasks.core.existing import Decision, decide, merge_patch, owners_lost
from tasks.core.objects import Ref

if TYPE_CHECKING:
    from tasks.core.objects import Object
    from tasks.core.resources import ResourceType
    from tasks.ports.cluster import Cluster
    from tasks.restoring import Restoring

GONE_SECONDS = 60
"""How long a deleted object may take to go before it is made anew."""


def meet(restoring: Restoring, kind: ResourceType, obj: Object, live: Object) -> None:
    """Do what is right about an object that is there already.

    Raises:
        ConflictError: it has other content, and the restore was asked to fail on that.
        InvalidError: it cannot be changed into what the backup holds.
    """
    decision = decide(obj, live, restoring.options.existing)
    cluster, ref = restoring.target(), Ref.of(obj)
    uid = str(live["metadata"]["uid"])
    match decision.action:
        case "conflict":
            raise ConflictError(f"{ref} {decision.why}; say --existing skip, update or recreate")
        case "merged":
            restoring.keep(ref, "merge", live)
            cluster.patch(kind, ref.namespace, ref.name, merge_patch(obj, live))
        case "updated":
            restoring.keep(ref, "update", live)
            _update(cluster, kind, ref, obj)
        case "recreated":
            restoring.keep(ref, "recreate", live)
            cluster.delete(kind, ref.namespace, ref.name, uid=uid)
            uid = anew(restoring, kind, obj)
        case "unchanged" if owners_lost(obj, live):
            restoring.keep(ref, "link", live)
            decision, uid = _follow(restoring, kind, obj, uid)
        case _:
            pass
    restoring.done(ref, uid, decision.action, decision.why)


def _update(cluster: Cluster, kind: ResourceType, ref: Ref, obj: Object) -> None:
    try:
        cluster.apply(kind, ref.namespace, obj)
    except InvalidError as error:
        raise InvalidError(f"{error}; what cannot be changed can be made anew: --existing recreate") from error


def _follow(restoring: Restoring, kind: ResourceType, obj: Object, uid: str) -> tuple[Decision, str]:
    """Link an object to its owner that was made anew, before or after the garbage collector took it; return its uid."""
    ref, owners = Ref.of(obj), {"metadata": {"uid": uid, "ownerReferences": obj["metadata"]["ownerReferences"]}}
    gone = Decision("recreated", "the garbage collector took it with its former owner")
    try:
        found = restoring.target().patch(kind, ref.namespace, ref.name, owners)
    except (NotFoundError, ConflictError):
        return gone, anew(restoring, kind, obj)
    if found["metadata"].get("deletionTimestamp"):
        return gone, anew(restoring, kind, obj)
    return Decision("linked", "to its owner, which was made anew"), uid


def anew(restoring: Restoring, kind: ResourceType, obj: Object) -> str:
    """Create an object as soon as the one that is being deleted is gone; return its uid.

    Raises:
        ConflictError: that one does not go.
    """
    cluster, ref = restoring.target(), Ref.of(obj)
    limit = time.monotonic() + GONE_SECONDS
    while time.monotonic() < limit:
        try:
            created, _ = cluster.create(kind, ref.namespace, obj, manager=restoring.manager)
        except (AlreadyExistsError, ConflictError):
            time.sleep(0.2)  # its finalizers are at work
            continue
        return str(created["metadata"]["uid"])
    raise ConflictError(f"{ref} is being deleted and is still there after {GONE_SECONDS} s: see its finalizers")
