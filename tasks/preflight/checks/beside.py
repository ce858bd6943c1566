"""A restore beside a living original: what both would have, serve or start is said before anything is written."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ForbiddenError
from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.strings import pointer
from kubeferry.tasks.core.needs.beside import (
    CONFIGURED,
    HOSTS,
    STARTING,
    hosts,
    identities,
    shared_names,
    starts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.plan.state import Plan
    from kubeferry.tasks.preflight.target import Target

ACCOUNT = ("", "ServiceAccount")


def note_beside(plan: Plan, target: Target) -> None:
    """Put into the plan what competes with objects of the target; a second look replaces the first."""
    plan.losses = [each for each in plan.losses if each.code != LossCode.BESIDE_ORIGINAL]
    plan.losses += [*_hosts(plan, target), *_identities(plan, target), *_with_original(plan, target)]


def _bodies(plan: Plan, kinds: frozenset[tuple[str, str]]) -> Iterator[tuple[Ref, Object]]:
    for ref, item in plan.items.items():
        if (ref.group, ref.kind) in kinds:
            yield ref, plan.contents.read(item.slot)


def _hosts(plan: Plan, target: Target) -> Iterator[Loss]:
    """Yield hosts that another object of the target serves or publishes: who gets its requests is not certain."""
    wanted = [(ref, at, host) for ref, body in _bodies(plan, frozenset(HOSTS)) for at, host in hosts(body)]
    if not wanted:
        return
    taken: dict[str, set[Ref]] = defaultdict(set)
    for kind in HOSTS:
        for live in target.visible(*kind):
            for _, host in hosts(live):
                taken[host].add(Ref.of(live))
    for ref, at, host in sorted(set(wanted)):
        others = sorted(taken[host] - {ref} - _same_route(plan, ref, taken[host]))
        if others:
            what = "publishes" if at.startswith("/metadata/") else "serves"
            yield _loss(ref, f"{what} host {host}, as {_some(others)} of the target does", at)


def _same_route(plan: Plan, ref: Ref, holders: set[Ref]) -> set[Ref]:
    """Return the holders that the restore itself writes: they are no others, when it runs again."""
    return {each for each in holders if each in plan.items and each.namespace == ref.namespace}


def _identities(plan: Plan, target: Target) -> Iterator[Loss]:
    wanted = [(ref, *one) for ref, body in _bodies(plan, frozenset({ACCOUNT})) for one in identities(body)]
    live = target.visible(*ACCOUNT) if wanted else []
    holders: dict[tuple[str, str], set[Ref]] = defaultdict(set)
    for each in live:
        for one in identities(each):
            holders[one].add(Ref.of(each))
    for ref, key, value in wanted:
        if others := sorted(holders[key, value] - {ref}):
            same = f"has the same identity of the cloud as {_some(others)} of the target"
            why = f"{same}, if its policy allows namespace {ref.namespace}"
            yield _loss(ref, why, pointer(("metadata", "annotations", key)))


def _with_original(plan: Plan, target: Target) -> Iterator[Loss]:
    """Yield what starts, and what names the same queue or lock, while the original of another name is alive."""
    asked: dict[tuple[str, str], list[tuple[Ref, Ref, Object]]] = defaultdict(list)
    spaces = {old for old, new in plan.spaces().items() if old != new and target.namespace(old)}
    for ref, body in _bodies(plan, STARTING | CONFIGURED) if spaces else ():
        source = plan.items[ref].source
        if source.namespace in spaces and source != ref and (starts(body) or shared_names(body)):
            asked[ref.group, ref.kind].append((ref, source, body))
    for (group, name), found in asked.items():
        kind = target.discovery.by_kind(group, name)
        alive: dict[Ref, Object] = {}
        try:
            for space in sorted({source.namespace for _, source, _ in found}) if kind else ():
                alive |= {Ref.of(each): each for each in target.cluster().list(kind, space)}  # type: ignore[arg-type] # it is no None
        except ForbiddenError:
            continue  # what these credentials may not see they cannot compare
        for ref, source, body in found:
            if source in alive:
                yield from _compared(ref, source, body, alive[source])


def _compared(ref: Ref, source: Ref, body: Object, live: Object) -> Iterator[Loss]:
    if (does := starts(body)) and starts(live):
        yield _loss(ref, f"{does}: {source} is on the target")
    others = shared_names(live)
    for at, names in shared_names(body).items():
        if names & others.get(at, set()):
            yield _loss(ref, f"names the same queue, consumer group or lock as {source}, which is on the target", at)


def _loss(ref: Ref, why: str, path: str = "") -> Loss:
    return Loss.of(ref, LossCode.BESIDE_ORIGINAL, why, path=path)


def _some(refs: list[Ref]) -> str:
    return str(refs[0]) + (f" and {len(refs) - 1} more" if len(refs) > 1 else "")
