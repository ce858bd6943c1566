"""Open the journal of a restore before anything is written, or take up the one of a restore that was cut off.

Let restores into one cluster come one after the other, where Prefect starts them.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.journal import Header, changed_by, made_by
from kubeferry.tasks.core.formats.layout import RestoreKeys, alike
from kubeferry.tasks.core.formats.links import owner_ref
from kubeferry.tasks.core.formats.records import Action
from kubeferry.tasks.core.formats.target.managers import given_back
from kubeferry.tasks.core.kube.objects import Ref, owners_of
from kubeferry.tasks.core.models.from_store import to_store
from kubeferry.tasks.plan.keep_owned import paused
from kubeferry.tasks.ports.archive.encryption import Sealer, recipients
from kubeferry.tasks.ports.archive.spool import Spool
from kubeferry.tasks.ports.cluster.identity import identity, same_cluster
from kubeferry.tasks.ports.cluster.leases import Hold, me
from kubeferry.tasks.ports.cluster.namespaces import there
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import clock, progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.ports.prefect.runs import concurrency_slot, deployed
from kubeferry.tasks.ports.records.journal import Journal
from kubeferry.tasks.ports.records.restores import open_restore
from kubeferry.tasks.restore.outcome import Outcome, recalled
from kubeferry.tasks.step import in_thread, log, step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.plan.state import Plan, Source
    from kubeferry.tasks.ports.records.restores import StoredRestore
    from kubeferry.tasks.preflight.target import Target
    from kubeferry.tasks.restore.transaction import Transaction


@step("open the journal")
async def begin(source: Source, plan: Plan, target: Target, transaction: Transaction) -> None:
    """Write the header of the journal: from now on a restore can be resumed and undone.

    Raises:
        UsageError: there is a restore of the name that was asked for already.
        StoreError: the store cannot be written.
    """
    await in_thread(_begin, source, plan, target, transaction)
    store = source.backup.store
    for limit in store.limits:  # as the first writes have found
        log(f"store {store.url}: {limit}", noted=True)


def _begin(source: Source, plan: Plan, target: Target, transaction: Transaction) -> None:
    header, written = _header(source, plan, target, transaction)
    store, cluster = source.backup.store, target.cluster()
    transaction.manager = header.manager
    transaction.hold = Hold(cluster, source.name)
    target.check = transaction.hold.check
    transaction.journal = Journal(store, RestoreKeys(source.name), written, _seal(source), _spool(source))
    transaction.journal.begin(str(me(source.name)))


def _header(source: Source, plan: Plan, target: Target, transaction: Transaction) -> tuple[Header, int]:
    """Write the header, and give the restore another name where one that we made up was taken meanwhile.

    Returns:
        It, and how many segments of the journal there are, by an earlier try of this step.
    """
    store, cluster = source.backup.store, target.cluster()
    asked = source.options.name
    for name in [asked] if asked else alike(source.name):
        source.name = name
        header = Header(
            name=source.name,
            token=transaction.token,
            backup=source.options.backup,
            manifest=source.proof,
            target=identity(cluster, target.cached.uid()),
            namespaces=plan.spaces(),
            elsewhere=sorted({ref.namespace for ref in plan.elsewhere}),
            started=clock.now(),
            options=to_store(source.options.model_dump(mode="json", exclude_defaults=True)),
        )
        if store.put_new(RestoreKeys(header.name).header, header.model_dump_json().encode()):
            return header, 0
        taken = open_restore(store, header.name)
        if taken.header.token == header.token:
            return header, taken.segments
    raise UsageError(f"restore {asked} exists already in {store.url}: choose another --name")


def _seal(source: Source) -> Callable[[bytes], bytes] | None:
    """Return what encrypts former contents; None if neither the operator nor the backup asks for it.

    Who may write to the store chooses the recipients that a backup names, and must not read the target's Secrets by
    that. So the operator's recipients come first, then the public halves of the operator's own keys.
    """
    asked = recipients(source.options.encrypt_to)
    if asked:
        return Sealer(asked).seal
    sealer = source.backup.sealer()
    if sealer is None:
        return None
    own = source.backup.opener.recipients()
    return Sealer(own).seal if own else sealer.seal


def _spool(source: Source) -> Spool:
    return Spool(source.work / "previous.spool")


@step("take up the journal")
async def take_up(source: Source, plan: Plan, target: Target, transaction: Transaction, outcome: Outcome) -> None:
    """Go on with a restore that was cut off: find what it made, alone in its namespaces.

    Raises:
        UsageError: it was rolled back or undone, or was made on another cluster.
        PermanentError: it is still at work.
    """
    await in_thread(_take_up, source, plan, target, transaction, outcome)
    log(f"restore {source.name}: {len(transaction.made)} objects are there from before")


def _take_up(source: Source, plan: Plan, target: Target, transaction: Transaction, outcome: Outcome) -> None:
    stored = transaction.resumed
    if stored is None:
        raise AssertionError("take_up is for a restore that is resumed")
    cluster, header = target.cluster(), stored.header
    same_cluster(header, cluster)
    transaction.manager = header.manager
    transaction.hold = Hold(cluster, source.name)
    target.check = transaction.hold.check
    transaction.hold.take(there(cluster, (ref.name for ref in plan.namespaces)))
    seal, spool, earlier = _seal(source), _spool(source), stored.state.formers.keys()
    transaction.journal = Journal(stored.store, stored.keys, stored.segments, seal, spool, earlier)
    transaction.journal.begin(str(me(source.name)))
    target.discovery = cluster.discover()
    recall(source, plan, target, transaction, outcome, stored)


@step("lease the namespaces")
async def hold(plan: Plan, transaction: Transaction) -> None:
    """Take the leases of the namespaces: nobody else restores into them, undoes or deletes there meanwhile.

    Raises:
        PermanentError: somebody does; names the restore.
    """
    if transaction.hold:
        await in_thread(transaction.hold.take, {*plan.spaces().values()})


def recall(
    source: Source, plan: Plan, target: Target, transaction: Transaction, outcome: Outcome, stored: StoredRestore
) -> None:
    """Note what is on the target already because this restore made it, also what it had no time to write down."""
    state = stored.state
    asked = sorted(ref for ref in {*state.created, *state.doubtful} if ref in plan.items)
    found = in_threads(lambda place: (place, _live(target, *place)), _places(asked), THREADS)
    live = {Ref(group, kind, space, name): obj for (group, kind, space), of in found for name, obj in of.items()}
    for done, ref in enumerate(asked, start=1):
        obj = live.get(ref)
        if obj is None or obj["metadata"].get("deletionTimestamp"):
            continue
        uid = str(obj["metadata"]["uid"])
        if made_by(obj, transaction.manager) or changed_by(obj, transaction.manager):
            transaction.journal.announced.add(str(ref))  # it proves what the journal in the store says of it
        if ref in state.created and state.created[ref].uid == uid:
            _recall(source, plan, transaction, outcome, ref, obj, state.action(ref))
        elif made_by(obj, transaction.manager):
            transaction.journal.did(plan.level(ref), Action.CREATED, ref, uid)
            _recall(source, plan, transaction, outcome, ref, obj, Action.CREATED)
        progress.step(f"take up {source.name}", done, len(asked))


def _places(refs: Iterable[Ref]) -> list[tuple[str, str, str]]:
    return sorted({(ref.group, ref.kind, ref.namespace) for ref in refs})


def _live(target: Target, group: str, kind_name: str, namespace: str) -> dict[str, Object]:
    kind = target.discovery.by_kind(group, kind_name)
    objects = target.cluster().list(kind, namespace) if kind else ()
    return {obj["metadata"]["name"]: obj for obj in objects}


def _recall(
    source: Source, plan: Plan, transaction: Transaction, outcome: Outcome, ref: Ref, live: Object, action: Action
) -> None:
    """Note one object, with what is still to be done about it: owners that came later, a pause to undo."""
    recalled(transaction, outcome, ref, str(live["metadata"]["uid"]), action)
    item = plan.items[ref]
    have = {(each["kind"], each["name"]) for each in owners_of(live)}
    owners = [each for each in item.links.owners if (each.kind, each.name) not in have]
    planned = plan.items.keys()
    if any(owner_ref(each, space) in planned for each in owners for space in (ref.namespace, "")):
        outcome.pending.append(ref)
    if given_back(live, item.links.managers, {}) is not None:
        outcome.patched.add(ref)
    pause = paused(source, plan, ref, plan.contents.read(item.slot))
    if pause and pause.back:
        outcome.paused[ref] = pause


@asynccontextmanager
async def take_slot(source: Source, target: Target) -> AsyncIterator[None]:
    """Wait until no other restore of a deployment works in the target cluster, and keep others waiting meanwhile.

    A person at a terminal does not wait: two restores into one namespace are kept apart by its lease. Neither does one
    that is to be approved, which could keep others waiting for hours.
    """
    if not deployed() or source.options.approve:
        yield
        return
    where = urlsplit(target.cluster().host).netloc
    name = f"kubeferry restore into {where}"
    async with concurrency_slot(
        name, lambda: log(f"waits for its turn: another restore is at work in {where} (limit {name!r})")
    ):
        yield
