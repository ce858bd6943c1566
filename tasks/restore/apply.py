"""Write one level of a restore: create each object with its owners re-linked, or do what is right about an old one.

The step can be run again: what it wrote before is known by uid or found unchanged. All of a level is tried before the
step fails, so that one error does not hide the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import (
    AlreadyExistsError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    KubeferryError,
    NotFoundError,
    PermanentError,
    TransientError,
    UnavailableError,
    WebhookError,
)
from kubeferry.tasks.core.formats.journal import made_by
from kubeferry.tasks.core.formats.links import owner_ref
from kubeferry.tasks.core.formats.records import Action
from kubeferry.tasks.core.formats.target.bundle import owner
from kubeferry.tasks.core.graph.priorities import Priority, priority_of
from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.core.kube.namespace_defaults import namespace_default
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.readiness.evaluate import verdict
from kubeferry.tasks.core.models.options import BundleMode, OnFailure
from kubeferry.tasks.core.needs.ownership import IN_A_NAMESPACE, relinked
from kubeferry.tasks.plan.keep_owned import paused
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import clock, progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.restore.existing import reconcile, recreate
from kubeferry.tasks.restore.finish import write_status
from kubeferry.tasks.restore.managers import create
from kubeferry.tasks.restore.outcome import Outcome, done
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.formats.links import Owner
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.plan.state import Item, Plan, Source
    from kubeferry.tasks.ports.cluster.client import Cluster
    from kubeferry.tasks.preflight.target import Target
    from kubeferry.tasks.restore.transaction import Transaction

REFUSALS = (AlreadyExistsError, ConflictError, ForbiddenError, InvalidError, NotFoundError, WebhookError)
"""Answers of the API server about one object: the others can be restored all the same."""

WRITING = frozenset({Action.MERGED, Action.UPDATED, Action.LINKED})
"""What is done with an object that was there before, and stays the same one."""


@step("apply level {number}")
async def apply(
    source: Source, plan: Plan, target: Target, transaction: Transaction, outcome: Outcome, number: int, refs: list[Ref]
) -> None:
    """Write the objects of one level.

    With --on-failure continue, what the target refuses is taken out of the plan, with what needs it.

    Raises:
        PermanentError: objects that the target refuses, each named with its reason.
        TransientError: the target does not answer; running the step again goes on where it stopped.
    """
    await in_thread(write, source, plan, target, transaction, outcome, refs, f"apply level {number}")


def write(
    source: Source,
    plan: Plan,
    target: Target,
    transaction: Transaction,
    outcome: Outcome,
    refs: Iterable[Ref],
    title: str,
) -> None:
    """Write objects side by side, all before any error is raised."""
    todo = [ref for ref in refs if ref not in outcome.uids and ref in plan.items]
    if todo:
        transaction.journal.will_create(plan.level(todo[0]), todo)
    errors: list[KubeferryError] = []
    refused: dict[Ref, str] = {}
    cluster = target.cluster()
    found = in_threads(lambda ref: _try(source, plan, target, cluster, transaction, outcome, ref), todo, THREADS)
    for tried, (ref, error) in enumerate(zip(todo, found, strict=True), start=1):
        if isinstance(error, _RefusedError):
            refused[ref] = str(error)
        elif error:
            errors.append(error)
        if tried % 100 == 0 or tried == len(todo):
            progress.step(title, tried, len(todo))
    if refused:
        outcome.refuse(plan, refused)
    if errors:
        raise _together(errors)


class _RefusedError(PermanentError):
    """The target refuses one object, and the restore goes on without it."""


def _try(
    source: Source, plan: Plan, target: Target, cluster: Cluster, transaction: Transaction, outcome: Outcome, ref: Ref
) -> KubeferryError | None:
    try:
        if transaction.hold:
            transaction.hold.check()
    except KubeferryError as error:
        return error
    try:
        _write(source, plan, target, cluster, transaction, outcome, plan.items[ref])
    except REFUSALS as error:
        going_on = source.options.on_failure is OnFailure.CONTINUE or _is_not_ready(source, plan, error)
        return _RefusedError(str(error)) if going_on else error
    except KubeferryError as error:
        return error
    return None


def _is_not_ready(source: Source, plan: Plan, error: KubeferryError) -> bool:
    """Return whether a webhook does not answer that is restored too: it is not ready in time, and what is there stays.

    Its Service and what serves it came before the object (preflight/dry_run/webhooks.py).
    """
    if not isinstance(error, WebhookError) or error.service is None or source.options.rollback_on_failure:
        return False
    return Ref("", "Service", *error.service) in plan.items


def _together(errors: list[KubeferryError]) -> KubeferryError:
    """Return one error that names all: transient only when each is, since a retry cannot help the others."""
    if len(errors) == 1:
        return errors[0]
    lines = "; ".join(sorted({str(error) for error in errors})[:20])  # a server that is gone is reported once
    kind = UnavailableError if all(isinstance(error, TransientError) for error in errors) else PermanentError
    return kind(f"{len(errors)} objects could not be restored: {lines}")


def _write(
    source: Source, plan: Plan, target: Target, cluster: Cluster, transaction: Transaction, outcome: Outcome, item: Item
) -> None:
    kind, ref = target.type_of_item(item), item.ref
    obj = plan.contents.read(item.slot)
    why = _own(plan, target, outcome, item, obj)
    # Found out by a create that fails, it would be counted against the quota all the same, until that is counted again.
    old = ref.namespace in target.old_namespaces or namespace_default(ref) is not None
    live = cluster.find(kind, ref.namespace, ref.name) if old else None
    if live is None:
        try:
            body = _paused(source, plan, outcome, ref, _rooted(source, transaction, ref, obj))
            created = create(cluster, kind, body, transaction.maker(ref), item.links.managers)
        except AlreadyExistsError:
            live = cluster.find(kind, ref.namespace, ref.name)
        else:
            outcome.compare(ref, kind, body, created)
            _created(source, plan, target, transaction, outcome, ref, created, why)
            return
    if live is None or live["metadata"].get("deletionTimestamp"):
        body = _rooted(source, transaction, ref, obj)
        created = recreate(target, transaction, kind, body, transaction.maker(ref), item.links.managers)
        outcome.compare(ref, kind, body, created)
        done(transaction, outcome, ref, created["metadata"]["uid"], Action.CREATED, "when a former one was gone")
        write_status(plan, target, outcome, ref)
    elif made_by(live, transaction.manager):  # by our own first attempt, whose answer was lost
        _created(source, plan, target, transaction, outcome, ref, live, why)
    else:
        action = reconcile(source, plan, target, transaction, outcome, kind, obj, live)
        if action in WRITING:
            outcome.patched.add(ref)
        elif action == Action.UNCHANGED:
            _settle(source, target, outcome, ref, live)


def _created(  # noqa: PLR0913, PLR0917 - all that a restore is made of
    source: Source,
    plan: Plan,
    target: Target,
    transaction: Transaction,
    outcome: Outcome,
    ref: Ref,
    created: Object,
    why: str,
) -> None:
    done(transaction, outcome, ref, created["metadata"]["uid"], Action.CREATED, why)
    write_status(plan, target, outcome, ref)
    _settle(source, target, outcome, ref, created)


def _settle(source: Source, target: Target, outcome: Outcome, ref: Ref, live: Object) -> None:
    known = priority_of(ref) != Priority.CUSTOM and source.rules.phase(ref) is None
    if known and verdict(live, clock.now(), target.context).state == "ready":
        outcome.settled.add(ref)  # ready as soon as it is there: no need to ask again


def _rooted(source: Source, transaction: Transaction, ref: Ref, obj: Object) -> Object:
    """Return an object that is nobody's with the bundle as its owner, if it was asked to own what is created.

    It is a copy: what is there already is compared with the object as it was.
    """
    uid = transaction.bundles.get(ref.namespace) if source.options.bundle is BundleMode.OWN else None
    if uid is None or obj["metadata"].get("ownerReferences"):
        return obj
    return obj | {"metadata": obj["metadata"] | {"ownerReferences": [owner(source.name, uid)]}}


def _paused(source: Source, plan: Plan, outcome: Outcome, ref: Ref, obj: Object) -> Object:
    """Return an object as it is created while its reconciler must leave it alone."""
    pause = paused(source, plan, ref, obj)
    if pause is None or not pause.back:
        return obj
    outcome.paused[ref] = pause
    return pause.obj


def _own(plan: Plan, target: Target, outcome: Outcome, item: Item, obj: Object) -> str:
    """Give `obj` its owners' new uids; return what to report about an owner that is not there."""
    references, missing = relinked(item.links.owners, lambda owner: uid_of(plan, target, outcome, item, owner))
    later = [owner for owner in missing if _planned(plan, item, owner)]
    if later:
        outcome.pending.append(item.ref)
    if references:
        obj["metadata"]["ownerReferences"] = references
    lost = [f"{each.kind} {each.name}, which {_why_not(target, item, each)}" for each in missing if each not in later]
    return "; ".join(f"not owned by {each}" for each in (*item.unowned, *lost))


def _why_not(target: Target, item: Item, owner: Owner) -> str:
    kind = target.discovery.by_kind(group_of(owner.api_version), owner.kind)
    wide = kind is not None and kind.namespaced and not item.ref.namespace
    return IN_A_NAMESPACE if wide else "is not on the target"


def uid_of(plan: Plan, target: Target, outcome: Outcome, item: Item, owner: Owner) -> str | None:
    """Return the owner's uid on the target: one that this restore wrote, or one that was there before."""
    for namespace in (item.ref.namespace, ""):
        ref = owner_ref(owner, namespace)
        if ref in outcome.uids:
            return outcome.uids[ref]
    if _planned(plan, item, owner):
        return None
    kind = target.discovery.by_kind(group_of(owner.api_version), owner.kind)
    if kind is None or (kind.namespaced and not item.ref.namespace):
        return None
    found = target.cluster().find(kind, item.ref.namespace if kind.namespaced else "", owner.name)
    return str(found["metadata"]["uid"]) if found else None


def _planned(plan: Plan, item: Item, owner: Owner) -> bool:
    return any(owner_ref(owner, namespace) in plan.items for namespace in (item.ref.namespace, ""))
