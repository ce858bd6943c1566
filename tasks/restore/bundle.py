"""Make the bundle of a restore in each of its namespaces, and list in it what was created, level by level."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import AlreadyExistsError, ConflictError, ForbiddenError, NotFoundError, PermanentError
from kubeferry.tasks.core.formats.journal import DEFINITIONS, made_by
from kubeferry.tasks.core.formats.records import Action
from kubeferry.tasks.core.formats.target.bundle import (
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
from kubeferry.tasks.core.formats.target.bundle_guard import OWNS, POLICIES, POLICY_BINDINGS, binding, policy
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import BundleMode
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.plan.state import Plan, Source
    from kubeferry.tasks.preflight.target import Target
    from kubeferry.tasks.restore.transaction import Transaction

SERVED_SECONDS = 60
"""How long the API server may take to serve bundles for the first time; on a quiet one it is a fraction of a second."""


@step("make the bundle")
async def make_bundle(source: Source, plan: Plan, target: Target, transaction: Transaction) -> None:
    """Create the bundle that will list what is created, in each namespace, and the definition of bundles if need be.

    Raises:
        ConflictError: a namespace has a bundle of that name, of another restore.
        PermanentError: bundles are not served in time.
    """
    await in_thread(_make, source, plan, target, transaction)


def _make(source: Source, plan: Plan, target: Target, transaction: Transaction) -> None:
    spaces = sorted({*plan.spaces().values()})
    if not spaces:
        return
    _define(target)
    if source.options.bundle is BundleMode.OWN:
        _guard(target, spaces)
    refs = {Ref(GROUP, KIND, space, source.name): space for space in spaces}
    for ref in refs:
        plan.place(ref, DEFINITIONS)
    transaction.journal.will_create(DEFINITIONS, refs)
    for ref, space in refs.items():
        made = _created(target, transaction, BUNDLES, _below(source, target, _of(source, space)))
        transaction.bundles[space] = uid = str(made["metadata"]["uid"])
        transaction.journal.did(DEFINITIONS, Action.CREATED, ref, uid)
    if len(spaces) == 1:
        transaction.bundle_of_all = transaction.bundles[spaces[0]]
    if transaction.resumed:  # the first time, the definition says this of what is new
        list_members(source, plan, target, transaction, RESTORING)


def _of(source: Source, space: str) -> Object:
    obj = bundle(space, source.name, source.options.backup, source.backup.store.url, clock.now())
    if source.options.bundle is BundleMode.OWN:
        obj["metadata"]["labels"][OWNS] = "true"
    return obj


def _below(source: Source, target: Target, obj: Object) -> Object:
    """Return a bundle as one that goes with the bundle whose objects are restored, if that is in its namespace."""
    space, _, name = source.options.from_bundle.partition("/")
    meta = obj["metadata"]
    if space != meta["namespace"]:
        return obj
    uid = str(target.cluster().get(BUNDLES, space, name)["metadata"]["uid"])
    return obj | {"metadata": meta | {"ownerReferences": [owner(name, uid)]}}


def _define(target: Target) -> None:
    if target.cached.discovery().by_kind(GROUP, KIND):
        return
    # It is in no journal, and stays when a restore is undone: another one may be about to use it.
    with suppress(AlreadyExistsError):
        target.cluster().create(CRDS, "", definition())
    limit = time.monotonic() + SERVED_SECONDS
    while target.cached.refreshed().by_kind(GROUP, KIND) is None:
        if time.monotonic() > limit:
            raise PermanentError(f"{DEFINITION} is not served after {SERVED_SECONDS} s")
        time.sleep(0.1)


def _guard(target: Target, spaces: Iterable[str]) -> None:
    """Have the API server refuse to delete the definition while bundles of these namespaces own something.

    As the definition, this is in no journal, and stays: without such a bundle it refuses nothing.
    """
    cluster = target.cluster()
    for kind, obj in ((POLICIES, policy()), *((POLICY_BINDINGS, binding(space)) for space in spaces)):
        with suppress(AlreadyExistsError):
            cluster.create(kind, "", obj)


def _created(target: Target, transaction: Transaction, kind: ResourceType, obj: Object) -> Object:
    cluster, meta = target.cluster(), obj["metadata"]
    try:
        return cluster.create(kind, meta["namespace"], obj, manager=transaction.manager)[0]
    except AlreadyExistsError:
        live = cluster.get(kind, meta["namespace"], meta["name"])
        if made_by(live, transaction.manager):
            return live
        raise ConflictError(
            f"namespace {meta['namespace']} has a bundle {meta['name']} of another restore: choose another --name"
        ) from None


@step("list what was created")
async def set_bundle_status(source: Source, plan: Plan, target: Target, transaction: Transaction, phase: str) -> None:
    """List in each bundle what was created so far, and delete those of nothing; `phase` is how far the restore is."""
    await in_thread(_set_status, source, plan, target, transaction, phase)


def _set_status(source: Source, plan: Plan, target: Target, transaction: Transaction, phase: str) -> None:
    _drop_empty(source, target, transaction)
    list_members(source, plan, target, transaction, phase)


def list_members(source: Source, plan: Plan, target: Target, transaction: Transaction, phase: str) -> None:
    """List in each bundle what was created so far."""
    for space, uid in transaction.bundles.items():
        members = [
            Member(plan.level(ref), ref, made)
            for ref, made in list(transaction.members.items())
            if transaction.bundle_of(ref) == uid
        ]
        for name, status in parts(source.name, phase, members):
            if name != source.name:
                _part(source, target, transaction, space, name, uid)
            target.cluster().patch(BUNDLES, space, name, {"status": status}, subresource="status")


def _drop_empty(source: Source, target: Target, transaction: Transaction) -> None:
    """Delete the bundles of namespaces in which nothing was created: all was there before."""
    used = {transaction.bundle_of(ref) for ref in transaction.members}
    for space, uid in list(transaction.bundles.items()):
        if uid not in used:
            ref = Ref(GROUP, KIND, space, source.name)
            try:
                target.cluster().delete(BUNDLES, space, source.name, uid=uid)
            except ForbiddenError:
                continue  # an empty one harms nobody
            except NotFoundError:
                pass
            transaction.journal.undid(Action.DELETED, DEFINITIONS, {str(ref): uid})
            del transaction.bundles[space]


def _part(source: Source, target: Target, transaction: Transaction, space: str, name: str, uid: str) -> None:
    """Make a further part, which goes with the first."""
    obj = _of(source, space)
    meta = obj["metadata"] | {"name": name, "ownerReferences": [owner(source.name, uid)]}
    _created(target, transaction, BUNDLES, obj | {"metadata": meta})
