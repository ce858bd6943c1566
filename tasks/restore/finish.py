"""What a restore writes apart from an object: its status, at once, and its finalizers, when everything is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from kubeferry.tasks.core.formats.losses import LossCode
from kubeferry.tasks.core.formats.target.managers import content_manager, status_manager
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.restore.managers import change_metadata
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.plan.state import Plan
    from kubeferry.tasks.preflight.target import Target
    from kubeferry.tasks.restore.outcome import Outcome
    from kubeferry.tasks.restore.transaction import Transaction


def write_status(plan: Plan, target: Target, outcome: Outcome, ref: Ref) -> None:
    """Write the status of an object that was created, as soon as it is there: its controller may look at once.

    A status that the target refuses is noted, and stops nothing.
    """
    item = plan.items[ref]
    if item.status is None or ref in outcome.statuses:
        return
    kind, status = target.type_of_item(item), plan.contents.read(item.status)
    at = "status" if "status" in kind.subresources else ""
    manager = status_manager(item.links.managers)
    try:
        target.cluster().patch(kind, ref.namespace, ref.name, {"status": status}, subresource=at, manager=manager)
    except (InvalidError, ForbiddenError, NotFoundError) as error:
        outcome.lose(ref, LossCode.STATUS_REFUSED, str(error), path="/status")
    outcome.statuses.add(ref)


@step("finish objects")
async def finish(plan: Plan, target: Target, transaction: Transaction, outcome: Outcome) -> None:
    """Write what is left of statuses after a resume, and give objects the finalizers of their controllers."""
    await in_thread(_finish, plan, target, transaction, outcome)


def to_finish(plan: Plan, transaction: Transaction, outcome: Outcome) -> list[Ref]:
    """Return the objects that this restore created and that miss their status or finalizers."""
    return sorted(
        ref
        for ref in transaction.made
        if (item := plan.items.get(ref))
        and (item.finalizers or (item.status is not None and ref not in outcome.statuses))
        and ref in outcome.uids
    )


def _finish(plan: Plan, target: Target, transaction: Transaction, outcome: Outcome) -> None:
    refs = to_finish(plan, transaction, outcome)

    def one(ref: Ref) -> None:
        write_status(plan, target, outcome, ref)
        if plan.items[ref].finalizers:
            _finalize(plan, target, outcome, ref)

    for done, _ in enumerate(in_threads(one, refs, THREADS), start=1):
        progress.step("finish objects", done, len(refs))


def _finalize(plan: Plan, target: Target, outcome: Outcome, ref: Ref) -> None:
    item, missing = plan.items[ref], list[str]()

    def more(live: Object) -> Object | None:
        there = live["metadata"].get("finalizers") or []
        missing[:] = [each for each in item.finalizers if each not in there]
        if not missing or live["metadata"].get("deletionTimestamp"):
            return None  # verification reports what is gone
        return {"finalizers": [*there, *missing]}

    kind, manager = target.type_of_item(item), content_manager(item.links.managers)
    try:
        change_metadata(target.cluster(), kind, ref, more, manager)
    except (InvalidError, ForbiddenError, ConflictError) as error:
        for each in missing:
            outcome.lose(ref, LossCode.FINALIZER_LEFT, f"{each}: {error}", path="/metadata/finalizers")
