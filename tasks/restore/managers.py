"""Create objects under their own field managers, and give back at the end what a restore took over from them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ConflictError, DuplicateKeysError, NotFoundError
from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.formats.target.managers import applied, content_manager, given_back, is_entry, mark
from kubeferry.tasks.core.kube.objects import Ref, field_managers, owners_of
from kubeferry.tasks.core.plan.existing import content, replacement
from kubeferry.tasks.ports.cluster.client import FIELD_MANAGER
from kubeferry.tasks.ports.cluster.transport import THREADS, retry_on_conflict
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kubeferry.tasks.core.formats.target.managers import Entry
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.plan.state import Plan
    from kubeferry.tasks.ports.cluster.client import Cluster
    from kubeferry.tasks.preflight.target import Target
    from kubeferry.tasks.restore.outcome import Outcome
    from kubeferry.tasks.restore.transaction import Transaction


def create(cluster: Cluster, kind: ResourceType, obj: Object, manager: str, entries: Iterable[Entry] = ()) -> Object:
    """Create an object with the mark of a restore, under the manager of its original; return it as stored.

    Args:
        cluster: where to create it.
        kind: its type.
        obj: the object.
        manager: the restore's own manager, by which it knows what it made.
        entries: the managers of the original.

    Raises:
        AlreadyExistsError: it is there already.
    """
    meta = obj["metadata"] | {"managedFields": [mark(manager, obj["apiVersion"])]}
    body = obj | {"metadata": meta}
    return cluster.create(kind, meta.get("namespace", ""), body, manager=content_manager(entries))[0]


@step("give back fields")
async def give_back(plan: Plan, target: Target, transaction: Transaction, outcome: Outcome) -> None:
    """Give each applier the fields that it applied, and leave the restore nothing but its mark."""
    await in_thread(_give_back, plan, target, transaction, outcome)


def to_give_back(plan: Plan, transaction: Transaction, outcome: Outcome) -> set[Ref]:
    """Return the objects of which the restore owns fields, or whose appliers do not."""
    made = {ref for ref in transaction.made if ref in plan.items and applied(plan.items[ref].links.managers)}
    return {ref for ref in made | outcome.patched if ref in outcome.uids}


def _give_back(plan: Plan, target: Target, transaction: Transaction, outcome: Outcome) -> None:
    refs = sorted(to_give_back(plan, transaction, outcome))
    uids = {item.links.uid: outcome.uids[ref] for ref, item in plan.items.items() if ref in outcome.uids}

    def one(ref: Ref) -> None:
        entries: Iterable[Entry] = plan.items[ref].links.managers
        if ref not in transaction.made:
            previous = transaction.journal.previous(ref)
            entries = [each for each in field_managers(previous) if is_entry(each)] if previous else ()
        try:
            write_back(target.cluster(), target.type_of_item(plan.items[ref]), ref, entries, uids)
        except ConflictError as error:
            why = f"the restore stays the manager of fields that others applied: {error}"
            outcome.problems.append(Problem(what=str(ref), why=why))

    for done, _ in enumerate(in_threads(one, refs, THREADS), start=1):
        progress.step("give back fields", done, len(refs))


def write_back(
    cluster: Cluster, kind: ResourceType, ref: Ref, entries: Iterable[Entry], uids: Mapping[str, str]
) -> None:
    """Write the managers of one object as `given_back` says; one that is gone has none.

    Raises:
        ConflictError: somebody changes it all the time.
    """
    entries = [*entries]

    def managers(live: Object) -> Object | None:
        wanted = given_back(live, entries, _with_own(uids, live))
        return None if wanted is None or _same(wanted, field_managers(live)) else {"managedFields": wanted}

    change_metadata(cluster, kind, ref, managers, content_manager(entries))


def give_former(cluster: Cluster, kind: ResourceType, previous: Object, uid: str) -> None:
    """Give the object with a uid its previous content again, and its previous field managers.

    Raises:
        ConflictError: somebody changes it all the time, or it is another object.
        InvalidError: the server refuses the previous content.
        NotFoundError: it is gone.
    """
    ref, wanted = Ref.of(previous), content(previous)

    def rest() -> None:
        live = cluster.get(kind, ref.namespace, ref.name)
        if live["metadata"]["uid"] != uid:
            raise NotFoundError(f"{ref} is another object now")
        if content(live) != wanted:
            cluster.replace(kind, ref.namespace, replacement(previous, live))

    with suppress(DuplicateKeysError):
        cluster.apply(kind, ref.namespace, wanted | {"metadata": wanted["metadata"] | {"uid": uid}})
    retry_on_conflict(rest)  # server-side apply leaves fields that another manager of ours has set
    entries = field_managers(previous)
    if entries and not change_metadata(cluster, kind, ref, lambda _: {"uid": uid, "managedFields": entries}):
        raise NotFoundError(f"{ref} is not there any more")


def change_metadata(
    cluster: Cluster,
    kind: ResourceType,
    ref: Ref,
    change: Callable[[Object], Object | None],
    manager: str = FIELD_MANAGER,
) -> bool:
    """Patch what `change` returns for a live object into its metadata, unless somebody changed it meanwhile.

    Returns:
        Whether the object is there; nothing is written where `change` returns None.

    Raises:
        ConflictError: somebody changes it all the time.
    """

    def once() -> bool:
        live = cluster.find(kind, ref.namespace, ref.name)
        wanted = change(live) if live else None
        if live is None or wanted is None:
            return live is not None
        meta = wanted | {"resourceVersion": live["metadata"]["resourceVersion"]}
        try:
            cluster.patch(kind, ref.namespace, ref.name, {"metadata": meta}, manager=manager)
        except NotFoundError:
            return False
        return True

    return retry_on_conflict(once)


def _with_own(uids: Mapping[str, str], live: Object) -> dict[str, str]:
    """Return the owners' uids with those that the object has: one of a restore into its own cluster has kept them."""
    return {str(each.get("uid")): str(each.get("uid")) for each in owners_of(live)} | dict(uids)


def _same(one: list[Entry], two: list[Entry]) -> bool:
    return sorted(map(str, map(_ordered, one))) == sorted(map(str, map(_ordered, two)))


def _ordered(entry: Entry) -> list[tuple[str, str]]:
    return sorted((name, str(value)) for name, value in entry.items())
