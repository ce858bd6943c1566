"""Do what `decide` says about an object that the target has already: merge, update, re-create, link, or leave it."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import (
    AlreadyExistsError,
    ConflictError,
    DuplicateKeysError,
    InvalidError,
    NotFoundError,
)
from kubeferry.tasks.core.formats.journal import made_by
from kubeferry.tasks.core.formats.losses import LossCode
from kubeferry.tasks.core.formats.records import Action, Intent
from kubeferry.tasks.core.jsondoc.edit import get, group_of
from kubeferry.tasks.core.kube.kinds import NAMESPACE
from kubeferry.tasks.core.kube.objects import Ref, owners_of, with_owners
from kubeferry.tasks.core.models.options import Existing
from kubeferry.tasks.core.needs.ownership import CLAIM
from kubeferry.tasks.core.plan.existing import (
    Decision,
    advice,
    decide,
    differing,
    leftover,
    merge_patch,
    mode_of,
    named,
    owners_lost,
)
from kubeferry.tasks.core.plan.reversal import digest
from kubeferry.tasks.ports.cluster.transport import retry_on_conflict
from kubeferry.tasks.restore.managers import create
from kubeferry.tasks.restore.outcome import Outcome, done

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.formats.target.managers import Entry
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.plan.state import Plan, Source
    from kubeferry.tasks.preflight.target import Target
    from kubeferry.tasks.restore.transaction import Transaction

RETENTION = ("spec", "persistentVolumeClaimRetentionPolicy")
ADVICE = "persistentvolumeclaims=recreate re-creates them without their contents, and skip keeps both"

OWNERS = 8
"""Owners of owners that are followed from a claim."""

GONE_SECONDS = 60
"""How long a deleted object may take to go before it is re-created."""


def reconcile(  # noqa: PLR0913, PLR0917 - all that a restore is made of
    source: Source,
    plan: Plan,
    target: Target,
    transaction: Transaction,
    outcome: Outcome,
    kind: ResourceType,
    obj: Object,
    live: Object,
) -> Action:
    """Do what is right about an object that is there already; return what that was.

    Raises:
        ConflictError: it has other content, and the restore was asked to fail on that.
        InvalidError: it cannot be changed into what the backup holds.
    """
    cluster, ref = target.cluster(), Ref.of(obj)
    bare, adopter = source.rules.without_dynamic(live), plan.adopters.get(ref)
    maker = _maker(transaction, outcome, live)
    # What a controller that this restore created made before it came to it is no conflict: it becomes what it was.
    mode = Existing.UPDATE if maker else mode_of(kind, source.options)
    decision = decide(obj, bare, mode, adopter, shared=plan.shared(ref))
    if maker and decision.action is Action.IMMUTABLE:
        outcome.lose(ref, LossCode.MADE_BY_CONTROLLER, decision.why)
        decision = Decision(Action.KEPT, f"made by its controller, {maker.kind} {maker.name}: {decision.why}")
    uid, wrote = str(live["metadata"]["uid"]), ""
    match decision.action:
        case Action.CONFLICT:
            raise ConflictError(f"{ref} {decision.why}; say --existing skip, update or recreate")
        case Action.IMMUTABLE:
            raise InvalidError(f"{ref} {decision.why}; {advice(kind)}")
        case Action.MERGED:
            transaction.keep(ref, Intent.MERGE, live)
            patch = merge_patch(obj, live)
            wrote = digest(cluster.patch(kind, ref.namespace, ref.name, patch, manager=transaction.changer))
        case Action.UPDATED:
            transaction.keep(ref, Intent.UPDATE, live)
            obj, decision = (obj, decision) if maker else _free(transaction, obj, decision)
            decision, wrote = _update(source, target, transaction, kind, obj, bare, decision)
        case Action.RECREATED:
            transaction.keep(ref, Intent.RECREATE, live)
            if Existing.RECREATE is not mode_of(target.type_of(Ref(*CLAIM, ref.namespace, "")), source.options):
                _spare_claims(target, transaction, live)
            _keep_owned(target, transaction, plan, live)
            with suppress(NotFoundError):  # gone already: by our own first try, whose answer was lost, or by others
                cluster.delete(kind, ref.namespace, ref.name, uid=uid)
            obj, decision = _free(transaction, obj, decision)
            created = recreate(target, transaction, kind, obj, entries=plan.items[ref].links.managers)
            outcome.compare(ref, kind, obj, created)
            uid = str(created["metadata"]["uid"])
        case Action.UNCHANGED if owners_lost(obj, live):
            transaction.keep(ref, Intent.LINK, live)
            decision, uid, wrote = _follow(target, transaction, kind, obj, uid)
        case _:
            pass
    done(transaction, outcome, ref, uid, decision.action, decision.why, wrote=wrote)
    return decision.action


def _maker(transaction: Transaction, outcome: Outcome, live: Object) -> Ref | None:
    """Return the owner of a live object, if this restore created that one."""
    for each in owners_of(live):
        for namespace in (live["metadata"].get("namespace", ""), ""):
            ref = Ref(group_of(each["apiVersion"]), each["kind"], namespace, each["name"])
            if ref in transaction.made and outcome.uids.get(ref) == each["uid"]:
                return ref
    return None


def _free(transaction: Transaction, obj: Object, decision: Decision) -> tuple[Object, Decision]:
    """Return an object that was there before without the owners that this restore created; say so."""
    owners = owners_of(obj)
    kept = linkable(transaction, Ref.of(obj), owners)
    if len(kept) == len(owners):
        return obj, decision
    new = ", ".join(f"{each['kind']} {each['name']}" for each in owners if each not in kept)
    why = f"{decision.why}; not linked to {new}, which this restore created"
    return with_owners(obj, kept), replace(decision, why=why)


def linkable(transaction: Transaction, ref: Ref, owners: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the owners to which an object may be linked.

    One that was there before is not linked to what this restore created: who deletes that, or its bundle, would delete
    it too.
    """
    if ref in transaction.members:
        return owners
    created = {*transaction.members.values()}
    return [each for each in owners if each["uid"] not in created]


def _update(
    source: Source,
    target: Target,
    transaction: Transaction,
    kind: ResourceType,
    obj: Object,
    live: Object,
    decision: Decision,
) -> tuple[Decision, str]:
    """Give a live object the content that the backup holds; say what of it stays all the same.

    A namespace keeps what only the target's has: others may need it.

    Returns:
        The decision, and the digest of what the object has now.
    """
    cluster, ref, manager = target.cluster(), Ref.of(obj), transaction.changer
    try:
        stored = cluster.apply(kind, ref.namespace, obj, manager=manager)
        live = source.rules.without_dynamic(stored)
    except DuplicateKeysError:

        def merge() -> Object:
            found = source.rules.without_dynamic(cluster.get(kind, ref.namespace, ref.name))
            patch = leftover(obj, found)
            patch["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
            return cluster.patch(kind, ref.namespace, ref.name, patch, manager=manager)

        stored = retry_on_conflict(merge)
        live = source.rules.without_dynamic(stored)
    except InvalidError as error:
        raise InvalidError(f"{error}; {advice(kind)}") from error
    more, why = differing(obj, live), ""
    if more and (ref.group, ref.kind) != NAMESPACE:  # set by others, whose fields server-side apply leaves
        try:
            stored = cluster.patch(kind, ref.namespace, ref.name, leftover(obj, live), manager=manager)
            live = source.rules.without_dynamic(stored)
        except InvalidError as error:
            why = f" ({error})"
        more = differing(obj, live)
    told = replace(decision, why=f"{decision.why}; stays: {named(more)}{why}") if more else decision
    return told, digest(stored)


def _keep_owned(target: Target, transaction: Transaction, plan: Plan, live: Object) -> None:
    """Keep the objects of the plan that the garbage collector takes with their owner: an undo gives them back."""
    todo, seen, cluster = [live], {Ref.of(live)}, target.cluster()
    while todo:
        owner = todo.pop()
        for ref in [each for each in plan.owned.get(Ref.of(owner), ()) if each not in seen]:
            found = cluster.find(target.type_of(ref), ref.namespace, ref.name)
            if found and owner["metadata"]["uid"] in {each["uid"] for each in owners_of(found)}:
                transaction.keep(ref, Intent.LINK, found, beside=Ref.of(live))
                todo.append(found)
                seen.add(ref)


def _spare_claims(target: Target, transaction: Transaction, live: Object) -> None:
    """Take claims from an owner that is about to be deleted: the garbage collector would delete them with it.

    A StatefulSet ties its claims again and again, as long as it is to take them along (KEP-1847).

    Raises:
        ConflictError: a claim stays with it.
    """
    cluster, namespace = target.cluster(), live["metadata"]["namespace"]
    kind = target.type_of(Ref(*CLAIM, namespace, ""))
    limit = time.monotonic() + GONE_SECONDS
    while tied := _tied(target, cluster.list(kind, namespace), live):
        if time.monotonic() > limit:
            named = ", ".join(sorted(claim["metadata"]["name"] for claim, _ in tied)[:3])
            raise ConflictError(f"{Ref.of(live)} would take claims along: {named}; --existing {ADVICE}")
        for claim, owner in tied:
            with suppress(ConflictError, NotFoundError):  # changed since it was listed: the next turn looks again
                if owner["kind"] == "StatefulSet" and get(owner, *RETENTION, "whenDeleted") == "Delete":
                    _keep_claims(target, transaction, owner, Ref.of(live))
                else:
                    _untie(target, transaction, claim, owner, Ref.of(live))
        time.sleep(0.2)


def _tied(target: Target, claims: Iterable[Object], live: Object) -> list[tuple[Object, Object]]:
    """Return the claims that go with an object, each with the owner that it names."""
    found = []
    for claim in claims:
        for reference in owners_of(claim):
            owner = _owner(target, claim, reference)
            above = owner
            for _ in range(OWNERS):
                if above is None or above["metadata"]["uid"] == live["metadata"]["uid"]:
                    break
                above = next((up for each in owners_of(above) if (up := _owner(target, claim, each))), None)
            if owner and above and above["metadata"]["uid"] == live["metadata"]["uid"]:
                found.append((claim, owner))
    return found


def _owner(target: Target, claim: Object, reference: dict[str, Any]) -> Object | None:
    kind = target.discovery.by_kind(group_of(reference["apiVersion"]), reference["kind"])
    namespace = claim["metadata"]["namespace"] if kind and kind.namespaced else ""
    found = target.cluster().find(kind, namespace, reference["name"]) if kind else None
    return found if found and found["metadata"]["uid"] == reference["uid"] else None


def _keep_claims(target: Target, transaction: Transaction, owner: Object, recreated: Ref) -> None:
    ref = Ref.of(owner)
    transaction.keep(ref, Intent.PATCH, owner, recreated)
    patch = {"metadata": {"uid": owner["metadata"]["uid"]}, "spec": {RETENTION[1]: {"whenDeleted": "Retain"}}}
    target.cluster().patch(target.type_of(ref), ref.namespace, ref.name, patch, manager=transaction.changer)


def _untie(target: Target, transaction: Transaction, claim: Object, owner: Object, recreated: Ref) -> None:
    ref, meta = Ref.of(claim), claim["metadata"]
    transaction.keep(ref, Intent.PATCH, claim, recreated)
    others = [each for each in owners_of(claim) if each["uid"] != owner["metadata"]["uid"]]
    patch = {"metadata": {"resourceVersion": meta["resourceVersion"], "ownerReferences": others}}
    target.cluster().patch(target.type_of(ref), ref.namespace, ref.name, patch, manager=transaction.changer)


def _follow(
    target: Target, transaction: Transaction, kind: ResourceType, obj: Object, uid: str
) -> tuple[Decision, str, str]:
    """Link an object to its re-created owner, before or after the garbage collector took it.

    Returns:
        What was done, its uid, and the digest of what it has now, if it is the same object.
    """
    cluster, ref = target.cluster(), Ref.of(obj)
    owners = {"metadata": {"uid": uid, "ownerReferences": obj["metadata"]["ownerReferences"]}}

    def link() -> Object | None:
        try:
            found = cluster.patch(kind, ref.namespace, ref.name, owners, manager=transaction.changer)
        except NotFoundError:
            return None
        except ConflictError:  # somebody writes it, or it is another object
            live = cluster.find(kind, ref.namespace, ref.name)
            if live and live["metadata"]["uid"] == uid:
                raise
            return None
        return None if found["metadata"].get("deletionTimestamp") else found

    found = retry_on_conflict(link)
    if found:
        return Decision(Action.LINKED, "to its owner, which was re-created"), uid, digest(found)
    gone = Decision(Action.RECREATED, "the garbage collector took it with its former owner")
    return gone, str(recreate(target, transaction, kind, obj)["metadata"]["uid"]), ""


def recreate(
    target: Target,
    transaction: Transaction,
    kind: ResourceType,
    obj: Object,
    manager: str = "",
    entries: Iterable[Entry] = (),
) -> Object:
    """Create an object as soon as the one that is being deleted is gone; return it as stored.

    `manager` names its bundle too, where it belongs to one; `entries` are the field managers of its original.

    Raises:
        ConflictError: that one does not go.
    """
    cluster, ref = target.cluster(), Ref.of(obj)
    limit = time.monotonic() + GONE_SECONDS
    while time.monotonic() < limit:
        try:
            created = create(cluster, kind, obj, manager or transaction.manager, entries)
        except (AlreadyExistsError, ConflictError):
            found = cluster.find(kind, ref.namespace, ref.name)
            if found and made_by(found, transaction.manager) and not found["metadata"].get("deletionTimestamp"):
                return found  # by our own first try, whose answer was lost
            time.sleep(0.2)  # its finalizers are at work
            continue
        return created
    raise ConflictError(f"{ref} is being deleted and is still there after {GONE_SECONDS} s: see its finalizers")
