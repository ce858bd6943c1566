"""Open the journal of a restore before anything is written, or take up the one of a restore that was cut off.

Let restores into one cluster come one after the other, where Prefect starts them.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.journal import Header, Target, made_by
from kubeferry.tasks.core.formats.layout import RestoreKeys, alike
from kubeferry.tasks.core.formats.links import owner_ref
from kubeferry.tasks.core.formats.records import Action
from kubeferry.tasks.core.kube.objects import Ref, owners_of
from kubeferry.tasks.plan.keep_owned import paused
from kubeferry.tasks.ports.cluster.cached import cluster_uid
from kubeferry.tasks.ports.cluster.leases import Hold, me
from kubeferry.tasks.ports.cluster.namespaces import there
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import clock, progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.ports.prefect.runs import concurrency_slot, deployed
from kubeferry.tasks.ports.records.journal import Journal
from kubeferry.tasks.ports.records.restores import open_restore
from kubeferry.tasks.step import in_thread, step, tell

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.plan.state import Restoring
    from kubeferry.tasks.ports.cluster.client import Cluster
    from kubeferry.tasks.ports.records.restores import StoredRestore


@step("open the journal")
async def begin(restoring: Restoring) -> None:
    """Write the header of the journal: from now on a restore can be resumed and undone.

    Raises:
        UsageError: there is a restore of the name that was asked for already.
        StoreError: the store cannot be written.
    """
    await in_thread(_begin, restoring)


def _begin(restoring: Restoring) -> None:
    header, written = _header(restoring)
    store, target = restoring.backup.store, restoring.target()
    restoring.manager = header.manager
    restoring.hold = Hold(target, restoring.name)
    restoring.journal = Journal(store, RestoreKeys(restoring.name), written, _seal(restoring))
    restoring.journal.begin(str(me(restoring.name)))


def _header(restoring: Restoring) -> tuple[Header, int]:
    """Write the header, and give the restore another name where one that we made up was taken meanwhile.

    Returns:
        It, and how many segments of the journal there are, by an earlier try of this step.
    """
    store, target = restoring.backup.store, restoring.target()
    asked = restoring.options.name
    for name in [asked] if asked else alike(restoring.name):
        restoring.name = name
        header = Header(
            name=restoring.name,
            token=restoring.token,
            backup=restoring.options.backup,
            target=Target(context=target.name, host=target.host, uid=restoring.asked.uid()),
            namespaces=restoring.names(),
            started=clock.now(),
            options=restoring.options.model_dump(mode="json", exclude_defaults=True),
        )
        if store.put_new(RestoreKeys(header.name).header, header.model_dump_json().encode()):
            return header, 0
        taken = open_restore(store, header.name)
        if taken.header.token == header.token:
            return header, taken.segments
    raise UsageError(f"restore {asked} exists already in {store.url}: choose another --name")


def _seal(restoring: Restoring) -> Callable[[bytes], bytes] | None:
    """Return what encrypts former contents: to whom the backup is encrypted, the target's Secrets are too."""
    sealer = restoring.backup.sealer()
    return sealer.seal if sealer else None


@step("take up the journal")
async def take_up(restoring: Restoring) -> None:
    """Go on with a restore that was cut off: find what it made, alone in its namespaces.

    Raises:
        UsageError: it was taken back, or was made on another cluster.
        PermanentError: it is still at work.
    """
    await in_thread(_take_up, restoring)
    tell(f"restore {restoring.name}: {len(restoring.made)} objects are there from before")


def _take_up(restoring: Restoring) -> None:
    stored = restoring.resumed
    if stored is None:
        raise AssertionError("take_up is for a restore that is resumed")
    target, header = restoring.target(), stored.header
    same_cluster(stored, target)
    restoring.manager = header.manager
    restoring.hold = Hold(target, restoring.name)
    restoring.hold.take(there(target, (ref.name for ref in restoring.plan.namespaces)))
    restoring.journal = Journal(stored.store, stored.keys, stored.segments, _seal(restoring))
    restoring.journal.begin(str(me(restoring.name)))
    restoring.discovery = target.discover()
    recall(restoring, stored)


@step("lease the namespaces")
async def hold(restoring: Restoring) -> None:
    """Take the leases of the namespaces: nobody else restores into them, undoes or deletes there meanwhile.

    Raises:
        PermanentError: somebody does; names the restore.
    """
    if restoring.hold:
        spaces = {ref.namespace for ref in restoring.plan.items if ref.namespace}
        await in_thread(restoring.hold.take, spaces)


def same_cluster(stored: StoredRestore, target: Cluster) -> None:
    """Return if `target` is the cluster that a restore wrote to.

    Raises:
        UsageError: it is another one.
    """
    wanted, uid = stored.header.target, cluster_uid(target)
    if wanted.uid != uid if wanted.uid and uid else wanted.host != target.host:
        raise UsageError(
            f"restore {stored.header.name} was made on cluster {wanted.context} ({wanted.host}), and this is "
            f"{target.name} ({target.host}); name the right one with --context"
        )


def recall(restoring: Restoring, stored: StoredRestore) -> None:
    """Note what is on the target already because this restore made it, also what it had no time to write down."""
    state = stored.state
    asked = sorted(ref for ref in {*state.created, *state.doubtful} if ref in restoring.plan.items)
    found = in_threads(lambda place: (place, _live(restoring, *place)), _places(asked), THREADS)
    live = {Ref(group, kind, space, name): obj for (group, kind, space), of in found for name, obj in of.items()}
    for done, ref in enumerate(asked, start=1):
        obj = live.get(ref)
        if obj is None or obj["metadata"].get("deletionTimestamp"):
            continue
        uid = str(obj["metadata"]["uid"])
        if ref in state.created and state.created[ref].uid == uid:
            _recall(restoring, ref, obj, state.action(ref))
        elif made_by(obj, restoring.manager):
            restoring.journal.did(restoring.level(ref), Action.CREATED, ref, uid)
            _recall(restoring, ref, obj, Action.CREATED)
        progress.step(f"take up {restoring.name}", done, len(asked))


def _places(refs: Iterable[Ref]) -> list[tuple[str, str, str]]:
    return sorted({(ref.group, ref.kind, ref.namespace) for ref in refs})


def _live(restoring: Restoring, group: str, kind_name: str, namespace: str) -> dict[str, Object]:
    kind = restoring.discovery.by_kind(group, kind_name)
    objects = restoring.target().list(kind, namespace) if kind else ()
    return {obj["metadata"]["name"]: obj for obj in objects}


def _recall(restoring: Restoring, ref: Ref, live: Object, action: Action) -> None:
    """Note one object, with what is still to be done about it: owners that came later, a pause to take back."""
    restoring.note(ref, str(live["metadata"]["uid"]), action)
    item = restoring.plan.items[ref]
    have = {(each["kind"], each["name"]) for each in owners_of(live)}
    owners = [each for each in item.links.owners if (each.kind, each.name) not in have]
    planned = restoring.plan.items.keys()
    if any(owner_ref(each, space) in planned for each in owners for space in (ref.namespace, "")):
        restoring.pending.append(ref)
    pause = paused(restoring, ref, restoring.planned.read(item.slot))
    if pause and pause.back:
        restoring.paused[ref] = pause


@asynccontextmanager
async def take_slot(restoring: Restoring) -> AsyncIterator[None]:
    """Wait until no other restore of a deployment works in the target cluster, and keep others waiting meanwhile.

    A person at a terminal does not wait: two restores into one namespace are kept apart by its lease. Neither does one
    that is to be approved, which could keep others waiting for hours.
    """
    if not deployed() or restoring.options.approve:
        yield
        return
    where = urlsplit(restoring.target().host).netloc
    name = f"kubeferry restore into {where}"
    async with concurrency_slot(
        name, lambda: tell(f"waits for its turn: another restore is at work in {where} (limit {name!r})")
    ):
        yield
