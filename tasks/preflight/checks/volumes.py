"""PersistentVolumes that come: their claim, their storage, and their reclaim policy, compared with the target's."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ForbiddenError
from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import Existing
from kubeferry.tasks.core.plan.existing import mode_of
from kubeferry.tasks.core.plan.faults import Fault
from kubeferry.tasks.core.transform.volumes import CLAIM, RETAIN, VOLUME, handle_of, reclaim_policy, with_policy
from kubeferry.tasks.plan.storage import RECLAIM

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.plan.state import Plan, Source
    from kubeferry.tasks.preflight.target import Target


def volume_conflicts(plan: Plan, target: Target) -> Iterator[Fault]:
    """Yield volumes that are bound to another claim than the one to restore, or whose storage is there already.

    The second would be two volumes of one storage, which destroys what is on it.
    """
    refs = sorted(ref for ref in plan.items if (ref.group, ref.kind) == VOLUME)
    live = _live(target, refs)
    storage = {handle: ref for ref, volume in live.items() if (handle := handle_of(volume))}
    for ref in refs:
        wanted = plan.contents.read(plan.items[ref].slot)
        there = live.get(ref)
        if there and _claim(there) and _claim(there) != _claim(wanted):
            yield Fault(f"{ref} is bound to claim {_claim(there)} already", (ref,))
        same = storage.get(handle_of(wanted))
        if same and not there:
            text = f"{ref} is the same storage as {same}, which is there: two volumes of one storage destroy its data"
            yield Fault(text, (ref,))


def as_they_are(source: Source, plan: Plan, target: Target, made: Container[Ref]) -> None:
    """Take out of the plan's losses what does not come about, as the target has the object already.

    The reclaim policy of a volume that is there stays, and so do the contents of a claim; what a resumed restore has
    made itself is not meant.
    """
    live = _live(target, plan.retained)
    for ref in sorted(plan.retained.keys() & live.keys() & plan.items.keys()):
        if ref not in made:
            policy = plan.retained.pop(ref)
            if reclaim_policy(live[ref]) != RETAIN:
                plan.edit(plan.items[ref], partial(with_policy, policy=policy))
            gone = Loss.of(ref, LossCode.RECLAIM_RETAINED, policy, path=RECLAIM)
            plan.losses = [each for each in plan.losses if each != gone]
    stays = {str(ref) for ref in _claims(source, plan, target) if ref not in made}
    plan.losses = [each for each in plan.losses if each.code != LossCode.COMES_BACK_EMPTY or each.object not in stays]


def _claims(source: Source, plan: Plan, target: Target) -> Iterator[Ref]:
    """Yield the claims of the target in the namespaces of those that come, unless they are to be made anew."""
    kind = target.discovery.by_kind(*CLAIM)
    spaces = {ref.namespace for ref in plan.items if (ref.group, ref.kind) == CLAIM}
    if kind is None or mode_of(kind, source.options) is Existing.RECREATE:
        return
    for name in sorted(spaces):
        with suppress(ForbiddenError):  # what is found when it is written is not said to come back empty either
            for each in target.cluster().list(kind, name) if target.namespace(name) else ():
                yield Ref(*CLAIM, name, each["metadata"]["name"])


def _live(target: Target, refs: Iterable[Ref]) -> dict[Ref, Object]:
    """Return the volumes of the target: all of them, or those in `refs` where these credentials may not list them."""
    kind, wanted = target.discovery.by_kind(*VOLUME), list(refs)
    if kind is None or not wanted:
        return {}
    try:
        objects = target.cluster().list(kind)
    except ForbiddenError:
        with suppress(ForbiddenError):
            objects = [found for ref in wanted if (found := target.cluster().find(kind, "", ref.name))]
    return {Ref(*VOLUME, "", each["metadata"]["name"]): each for each in objects}


def _claim(volume: Object) -> str:
    claim = (volume.get("spec") or {}).get("claimRef") or {}
    return f"{claim.get('namespace')}/{claim.get('name')}" if claim else ""
