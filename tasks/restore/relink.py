"""The end of a restore: owners that came after what they own, and reconcilers that were told to wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import ForbiddenError, NotFoundError
from kubeferry.tasks.core.formats.records import Action, ActionTaken, Intent, Problem
from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.needs.ownership import dormant, relinked
from kubeferry.tasks.preflight.target import type_of, type_of_item
from kubeferry.tasks.restore.apply import uid_of
from kubeferry.tasks.restore.existing import linkable, recreate
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.plan.state import Restoring


@step("relink")
async def relink(restoring: Restoring) -> None:
    """Give objects whose owner came after them (a cycle, an owner that adopts them) their ownerReferences."""
    await in_thread(_relink, restoring)


def _relink(restoring: Restoring) -> None:
    for ref in sorted(set(restoring.pending)):
        item = restoring.plan.items[ref]
        references, _ = relinked(item.links.owners, lambda owner, item=item: uid_of(restoring, item, owner))  # type: ignore[misc] # mypy cannot type the default
        references = linkable(restoring, ref, references)
        if references:
            _link(restoring, ref, references)


def _link(restoring: Restoring, ref: Ref, references: list[dict[str, Any]]) -> None:
    cluster, kind = restoring.target(), type_of_item(restoring, restoring.plan.items[ref])
    try:
        _keep(restoring, ref)
        live = cluster.patch(kind, ref.namespace, ref.name, {"metadata": {"ownerReferences": references}})
    except NotFoundError:
        live = None
    if live is None or live["metadata"].get("deletionTimestamp"):
        _replace(restoring, ref, references)


def _replace(restoring: Restoring, ref: Ref, references: list[dict[str, Any]]) -> None:
    """Make anew what went with a former owner, unless its controller has made its like by now.

    Raises:
        NotFoundError: it is nothing that its owner adopts, and somebody deleted it.
    """
    adopter, item = restoring.plan.adopters.get(ref), restoring.plan.items[ref]
    if adopter is None:
        raise NotFoundError(f"{ref} was deleted before its owners were linked")
    action, why = Action.LEFT, f"the former {adopter.kind} {adopter.name} took it along, and the new one made its own"
    body = restoring.planned.read(item.slot)
    if dormant(body):
        body["metadata"]["ownerReferences"] = references
        uid = recreate(restoring, type_of_item(restoring, item), body, restoring.maker(ref))
        restoring.journal.did(restoring.level(ref), Action.CREATED, ref, uid)
        restoring.uids[ref] = uid
        action, why = Action.RECREATED, f"the former {adopter.kind} {adopter.name} took it along"
    restoring.notable.append(ActionTaken(type=ref.type, namespace=ref.namespace, name=ref.name, action=action, why=why))


def _keep(restoring: Restoring, ref: Ref) -> None:
    """Keep what an object of others was before its owners are linked."""
    if ref in restoring.made:
        return
    live = restoring.target().get(type_of(restoring, ref), ref.namespace, ref.name)
    restoring.keep(ref, Intent.PATCH, live)


@step("unpause")
async def unpause(restoring: Restoring) -> None:
    """Let reconcilers have what was created paused, now that all that belongs to it is there."""
    await in_thread(_unpause, restoring)


def _unpause(restoring: Restoring) -> None:
    for ref in sorted(restoring.plan.scheduled):
        _take_up(restoring, ref, [job for job in restoring.plan.scheduled[ref] if job in restoring.made])
    for ref in sorted(restoring.paused, key=lambda ref: (restoring.paused[ref].turn, ref)):
        kind = type_of_item(restoring, restoring.plan.items[ref])
        restoring.target().patch(kind, ref.namespace, ref.name, restoring.paused[ref].back)


def _take_up(restoring: Restoring, ref: Ref, jobs: list[Ref]) -> None:
    """Tell a CronJob of the Jobs that are at work for it: it counts those in its status alone (concurrencyPolicy)."""
    cluster, kind = restoring.target(), type_of(restoring, ref)
    live = cluster.get(kind, ref.namespace, ref.name)
    active: list[Object] = get(live, "status", "active") or []
    known = {each.get("uid") for each in active}
    more = [_named(restoring, job) for job in jobs if restoring.uids[job] not in known]
    if not more:
        return
    status = {"status": {"active": [*active, *more]}}
    try:
        cluster.patch(kind, ref.namespace, ref.name, status, subresource="status")
    except ForbiddenError as error:
        why = f"does not know of the Jobs that are at work for it, and may start another one beside them: {error}"
        restoring.problems.append(Problem(what=str(ref), why=why))


def _named(restoring: Restoring, ref: Ref) -> Object:
    meta = {"namespace": ref.namespace, "name": ref.name, "uid": restoring.uids[ref]}
    return {"apiVersion": restoring.plan.items[ref].api_version, "kind": ref.kind, **meta}
