"""The end of a restore: owners that came after what they own, and reconcilers that were paused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import ForbiddenError, NotFoundError
from kubeferry.tasks.core.formats.records import Action, ActionTaken, Intent, Problem
from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.needs.ownership import dormant, relinked
from kubeferry.tasks.restore.apply import uid_of
from kubeferry.tasks.restore.existing import linkable, recreate
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.plan.state import Plan
    from kubeferry.tasks.preflight.target import Target
    from kubeferry.tasks.restore.outcome import Outcome
    from kubeferry.tasks.restore.transaction import Transaction


@step("relink")
async def relink(plan: Plan, target: Target, transaction: Transaction, outcome: Outcome) -> None:
    """Give objects whose owner came after them (a cycle, an owner that adopts them) their ownerReferences."""
    await in_thread(_relink, plan, target, transaction, outcome)


def _relink(plan: Plan, target: Target, transaction: Transaction, outcome: Outcome) -> None:
    for ref in sorted(set(outcome.pending)):
        item = plan.items[ref]
        uids = {owner: uid_of(plan, target, outcome, item, owner) for owner in item.links.owners}
        references, missing = relinked(item.links.owners, uids.get)
        for owner in missing:
            why = f"not owned by {owner.kind} {owner.name}, which is not restored"
            outcome.problems.append(Problem(what=str(ref), why=why))
        references = linkable(transaction, ref, references)
        if references:
            _link(plan, target, transaction, outcome, ref, references)


def _link(
    plan: Plan, target: Target, transaction: Transaction, outcome: Outcome, ref: Ref, references: list[dict[str, Any]]
) -> None:
    cluster, kind = target.cluster(), target.type_of_item(plan.items[ref])
    try:
        _keep(target, transaction, ref)
        live = cluster.patch(kind, ref.namespace, ref.name, {"metadata": {"ownerReferences": references}})
        outcome.patched.add(ref)
    except NotFoundError:
        live = None
    if live is None or live["metadata"].get("deletionTimestamp"):
        _replace(plan, target, transaction, outcome, ref, references)


def _replace(
    plan: Plan, target: Target, transaction: Transaction, outcome: Outcome, ref: Ref, references: list[dict[str, Any]]
) -> None:
    """Re-create what went with a former owner, unless its controller has made its like by now.

    Raises:
        NotFoundError: it is nothing that its owner adopts, and somebody deleted it.
    """
    adopter, item = plan.adopters.get(ref), plan.items[ref]
    if adopter is None:
        raise NotFoundError(f"{ref} was deleted before its owners were linked")
    action, why = Action.LEFT, f"the former {adopter.kind} {adopter.name} took it along, and the new one made its own"
    body = plan.contents.read(item.slot)
    if dormant(body):
        body["metadata"]["ownerReferences"] = references
        kind = target.type_of_item(item)
        created = recreate(target, transaction, kind, body, transaction.maker(ref), item.links.managers)
        uid = str(created["metadata"]["uid"])
        transaction.journal.did(plan.level(ref), Action.CREATED, ref, uid)
        outcome.uids[ref] = uid
        action, why = Action.RECREATED, f"the former {adopter.kind} {adopter.name} took it along"
    outcome.notable.append(ActionTaken(type=ref.type, namespace=ref.namespace, name=ref.name, action=action, why=why))


def _keep(target: Target, transaction: Transaction, ref: Ref) -> None:
    """Keep what an object of others was before its owners are linked."""
    if ref in transaction.made:
        return
    live = target.cluster().get(target.type_of(ref), ref.namespace, ref.name)
    transaction.keep(ref, Intent.PATCH, live)


@step("unpause")
async def unpause(plan: Plan, target: Target, transaction: Transaction, outcome: Outcome) -> None:
    """Let reconcilers have what was created paused, now that all that belongs to it is there."""
    await in_thread(_unpause, plan, target, transaction, outcome)


def _unpause(plan: Plan, target: Target, transaction: Transaction, outcome: Outcome) -> None:
    for ref in sorted(plan.scheduled.keys() & plan.items.keys()):
        _take_up(plan, target, outcome, ref, [job for job in plan.scheduled[ref] if job in transaction.made])
    for ref in sorted(outcome.paused, key=lambda ref: (outcome.paused[ref].turn, ref)):
        kind = target.type_of_item(plan.items[ref])
        target.cluster().patch(kind, ref.namespace, ref.name, outcome.paused[ref].back)
        outcome.patched.add(ref)


def _take_up(plan: Plan, target: Target, outcome: Outcome, ref: Ref, jobs: list[Ref]) -> None:
    """Write the Jobs that run into the status of their CronJob, which counts only those (concurrencyPolicy)."""
    cluster, kind = target.cluster(), target.type_of(ref)
    live = cluster.get(kind, ref.namespace, ref.name)
    active: list[Object] = get(live, "status", "active") or []
    known = {each.get("uid") for each in active}
    more = [_named(plan, outcome, job) for job in jobs if outcome.uids[job] not in known]
    if not more:
        return
    status = {"status": {"active": [*active, *more]}}
    try:
        cluster.patch(kind, ref.namespace, ref.name, status, subresource="status")
    except ForbiddenError as error:
        why = f"does not know of the Jobs that are at work for it, and may start another one beside them: {error}"
        outcome.problems.append(Problem(what=str(ref), why=why))


def _named(plan: Plan, outcome: Outcome, ref: Ref) -> Object:
    meta = {"namespace": ref.namespace, "name": ref.name, "uid": outcome.uids[ref]}
    return {"apiVersion": plan.items[ref].api_version, "kind": ref.kind, **meta}
