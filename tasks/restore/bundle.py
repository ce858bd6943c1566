"""Make the bundle of a restore in each of its namespaces, and list in it what was created, level by level."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import AlreadyExistsError, ConflictError, ForbiddenError, NotFoundError, PermanentError
from kubeferry.tasks.core.formats.bundle import (
    BUNDLES,
    CRDS,
    DEFINITION,
    GROUP,
    KIND,
    RESTORING,
    Member,
    bundle,
    definition,
    owner,
    parts,
)
from kubeferry.tasks.core.formats.journal import DEFINITIONS, made_by
from kubeferry.tasks.core.formats.records import Action
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.plan.state import Restoring

SERVED_SECONDS = 60
"""How long the API server may take to serve bundles for the first time; on a quiet one it is a fraction of a second."""


@step("make the bundle")
async def make_bundle(restoring: Restoring) -> None:
    """Create the bundle that will own what is created, in each namespace, and the definition of bundles if need be.

    Raises:
        ConflictError: a namespace has a bundle of that name, of another restore.
        PermanentError: bundles are not served in time.
    """
    await in_thread(_make, restoring)


def _make(restoring: Restoring) -> None:
    spaces = sorted({ref.namespace for ref in restoring.plan.items if ref.namespace})
    if not spaces:
        return
    _define(restoring)
    refs = {Ref(GROUP, KIND, space, restoring.name): space for space in spaces}
    for ref in refs:
        restoring.place(ref, DEFINITIONS)
    restoring.journal.will_create(DEFINITIONS, refs)
    for ref, space in refs.items():
        made = _created(restoring, BUNDLES, _of(restoring, space))
        restoring.bundles[space] = uid = str(made["metadata"]["uid"])
        restoring.journal.did(DEFINITIONS, Action.CREATED, ref, uid)
    if len(spaces) == 1:
        restoring.bundle_of_all = restoring.bundles[spaces[0]]
    if restoring.resumed:  # the first time, the definition says this of what is new
        list_members(restoring, RESTORING)


def _of(restoring: Restoring, space: str) -> Object:
    return bundle(space, restoring.name, restoring.options.backup, restoring.backup.store.url, clock.now())


def _define(restoring: Restoring) -> None:
    if restoring.asked.discovery().by_kind(GROUP, KIND):
        return
    # It is in no journal, and stays when a restore is taken back: another one may be about to use it.
    with suppress(AlreadyExistsError):
        restoring.target().create(CRDS, "", definition())
    limit = time.monotonic() + SERVED_SECONDS
    while restoring.asked.anew().by_kind(GROUP, KIND) is None:
        if time.monotonic() > limit:
            raise PermanentError(f"{DEFINITION} is not served after {SERVED_SECONDS} s")
        time.sleep(0.1)


def _created(restoring: Restoring, kind: ResourceType, obj: Object) -> Object:
    cluster, meta = restoring.target(), obj["metadata"]
    try:
        return cluster.create(kind, meta["namespace"], obj, manager=restoring.manager)[0]
    except AlreadyExistsError:
        live = cluster.get(kind, meta["namespace"], meta["name"])
        if made_by(live, restoring.manager):
            return live
        raise ConflictError(
            f"namespace {meta['namespace']} has a bundle {meta['name']} of another restore: choose another --name"
        ) from None


@step("list what the bundle owns")
async def tell_bundle(restoring: Restoring, phase: str) -> None:
    """List in each bundle what was created so far, and delete those of nothing; `phase` is how far the restore is."""
    await in_thread(_tell, restoring, phase)


def _tell(restoring: Restoring, phase: str) -> None:
    _drop_empty(restoring)
    list_members(restoring, phase)


def list_members(restoring: Restoring, phase: str) -> None:
    """List in each bundle what was created so far."""
    for space, uid in restoring.bundles.items():
        members = [
            Member(restoring.level(ref), ref, made)
            for ref, made in list(restoring.members.items())
            if restoring.bundle_of(ref) == uid
        ]
        for name, status in parts(restoring.name, phase, members):
            if name != restoring.name:
                _part(restoring, space, name, uid)
            restoring.target().patch(BUNDLES, space, name, {"status": status}, subresource="status")


def _drop_empty(restoring: Restoring) -> None:
    """Delete the bundles of namespaces in which nothing was created: all was there before."""
    used = {restoring.bundle_of(ref) for ref in restoring.members}
    for space, uid in list(restoring.bundles.items()):
        if uid not in used:
            ref = Ref(GROUP, KIND, space, restoring.name)
            try:
                restoring.target().delete(BUNDLES, space, restoring.name, uid=uid)
            except ForbiddenError:
                continue  # an empty one harms nobody
            except NotFoundError:
                pass
            restoring.journal.undid(Action.DELETED, DEFINITIONS, {str(ref): uid})
            del restoring.bundles[space]


def _part(restoring: Restoring, space: str, name: str, uid: str) -> None:
    """Make a further part, which goes with the first."""
    obj = _of(restoring, space)
    meta = obj["metadata"] | {"name": name, "ownerReferences": [owner(restoring.name, uid)]}
    _created(restoring, BUNDLES, obj | {"metadata": meta})
