"""Delete the objects of a cascade in reverse order, with waits; the bundle last, when all its objects are gone.

Objects that existed before the bundle and have owner references to deleted objects are untied first: without these
references the garbage collector keeps them.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ConflictError, NotFoundError
from kubeferry.tasks.core.formats.records import LeftOut, Phase, Problem
from kubeferry.tasks.core.formats.target.bundle import Member
from kubeferry.tasks.core.kube.objects import owners_of
from kubeferry.tasks.core.models.results import DeleteResult, Needed, ObjectToDelete
from kubeferry.tasks.delete.gather import look, unread
from kubeferry.tasks.delete.remove import Removal
from kubeferry.tasks.ports.cluster.transport import retry_on_conflict
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.delete.state import Deleting


@step("{deleting}")
async def remove(deleting: Deleting) -> None:
    """Delete the objects that `gather` found.

    Raises:
        ConflictError: they differ from those that were confirmed; nothing is deleted.
        PermanentError: another process has acquired the namespaces; the deletion stops midway.
    """
    await in_thread(_remove, deleting)


def _remove(deleting: Deleting) -> None:
    options, group, cluster = deleting.options, deleting.group, deleting.guarded()
    if options.expect and options.expect != group.digest:
        raise ConflictError(f"{options.what}: the objects have changed since you looked: look again")
    for ref, owners in group.untie.items():
        _untie(deleting, ref, owners)
    removal = Removal(
        cluster,
        deleting.discovery,
        repr(deleting),
        options.force_finalizers,
        options.wait_seconds,
        check=deleting.hold.check,
        users=group.users,
    )
    deleting.removed = removal.removed
    removal.run(group.asked, group.following)
    if not removal.removed.left:
        removal.run(_bundles(deleting))


def _bundles(deleting: Deleting) -> Iterable[Member]:
    """Return the bundles, each after its parts, at levels below all of their members."""
    for authority in deleting.charters:
        for ref, uid in authority.parts:
            yield Member(-2 if uid == authority.uid else -1, ref, uid)


def _untie(deleting: Deleting, ref: Ref, owners: frozenset[str]) -> None:
    cluster, kind = deleting.guarded(), deleting.discovery.by_kind(ref.group, ref.kind)

    def once() -> None:
        live = cluster.find(kind, ref.namespace, ref.name) if kind else None
        if kind is None or live is None or live["metadata"]["uid"] != deleting.facts.objects[ref].uid:
            return
        rest = [each for each in owners_of(live) if each["uid"] not in owners]
        seen = {"resourceVersion": live["metadata"]["resourceVersion"], "ownerReferences": rest}
        with suppress(NotFoundError):
            cluster.patch(kind, ref.namespace, ref.name, {"metadata": seen})

    try:
        retry_on_conflict(once)
    except ConflictError as error:
        why = "existed before and cannot be untied from its deleted owners: it changes all the time"
        raise ConflictError(f"{ref} {why}") from error


# --- the result


def found(deleting: Deleting, started: datetime) -> DeleteResult:
    """Return the result of a dry run, without Prefect. Raises as `gather`."""
    look(deleting)
    return result(deleting, started)


def result(deleting: Deleting, started: datetime) -> DeleteResult:
    """Return the result of a deletion or of a dry run."""
    options, group, removed = deleting.options, deleting.group, deleting.removed
    mine = {member.uid for member in (*group.asked, *group.following)}
    gone = mine if options.dry_run else {member.uid for member in removed.gone}
    refused = [Problem(what=what, why=why) for what, why in group.refused]
    blind = [Problem(what=what, why=f"not looked at: {why}") for what, why in unread(deleting)]
    whole = not (removed.left or refused or (options.selector and deleting.facts.unread))
    members = _members(deleting)
    return DeleteResult(
        name=options.bundle or options.selector,
        phase=Phase.COMPLETED if whole else Phase.PARTIAL,
        started=started,
        completed=clock.now(),
        counts=dict(sorted(Counter(each.object.partition(" ")[0] for each in members if each.uid in gone).items())),
        left_out=[LeftOut.of(ref, why) for ref, why in group.stays],
        warnings=blind,
        cluster=deleting.target().name,
        namespaces=deleting.namespaces,
        bundle=options.bundle,
        selector=options.selector,
        dry_run=options.dry_run,
        digest=group.digest,
        levels=len({each.level for each in members}),
        members=members,
        needed=[Needed(object=str(edge.target), by=str(edge.source), why=edge.why) for edge in group.needed],
        left=removed.left,
        refused=refused,
        forced=removed.forced,
        untied=[Problem(what=str(ref), why="was linked to what goes") for ref in group.untie],
    )


def _members(deleting: Deleting) -> list[ObjectToDelete]:
    group, facts = deleting.group, deleting.facts.objects
    return [
        ObjectToDelete(
            level=each.level,
            object=str(each.ref),
            uid=each.uid,
            follows=each in group.following,
            finalizers=list(facts[each.ref].finalizers),
        )
        for each in sorted([*group.asked, *group.following], key=lambda each: (-each.level, each.ref))
    ]
