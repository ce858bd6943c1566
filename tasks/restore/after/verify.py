"""The last step of a restore: read everything back, type by type, and compare it with what was to be restored."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.records import UNTOUCHED, Action, ActionTaken, Problem
from kubeferry.tasks.core.jsondoc.differences import steps_of
from kubeferry.tasks.core.kube.strings import pointer
from kubeferry.tasks.core.plan.existing import differing
from kubeferry.tasks.ports.cluster.pages import begun_again
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.plan.state import Plan, Source
    from kubeferry.tasks.preflight.target import Target
    from kubeferry.tasks.restore.outcome import Outcome

Place = tuple[str, str, str]
"""apiVersion, kind and namespace: what one LIST answers for."""

LISTS = 4
"""Lists that are read side by side: a page of each is in memory, decoded, which takes several times its bytes."""

FEW = 4
"""Cluster-scoped objects up to which each is asked for: a target has hundreds of others, as of its namespaces."""


@step("verify")
async def verify_restored(source: Source, plan: Plan, target: Target, outcome: Outcome) -> list[Problem]:
    """Return what is missing on the target; what the cluster made of an object since is noted, not a problem."""
    return await in_thread(_verify, source, plan, target, outcome)


def _verify(source: Source, plan: Plan, target: Target, outcome: Outcome) -> list[Problem]:
    wanted: dict[Place, set[Ref]] = defaultdict(set)
    gone = outcome.with_action({Action.LEFT})
    for ref, item in plan.items.items():
        if (ref.type, ref.namespace, ref.name) not in gone:
            wanted[item.api_version, ref.kind, ref.namespace].add(ref)
    touched, told = outcome.with_action(UNTOUCHED), _told(outcome)
    problems: list[Problem] = []
    places = sorted(wanted)
    for done, missing in enumerate(
        in_threads(
            lambda at: begun_again(lambda: _one(source, plan, target, outcome, wanted[at], touched, told)),
            places,
            LISTS,
        ),
        start=1,
    ):
        problems += missing
        progress.step(f"verify {source.name}", done, len(places))
    return problems


def _told(outcome: Outcome) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for each in outcome.losses:
        found[each.object].add(each.path)
    return found


def _is_told(path: str, told: Iterable[str]) -> bool:
    """Return whether a difference is in a place that is listed already, or around it."""
    at = pointer(tuple(steps_of(path))) + "/"
    return any(at.startswith(f"{each}/") or f"{each}/".startswith(at) for each in told if each)


def _live(plan: Plan, target: Target, wanted: set[Ref]) -> Iterator[Object]:
    """Yield what the target has of the type and in the place of `wanted`."""
    some = next(iter(wanted))
    cluster, kind = target.cluster(), target.type_of_item(plan.items[some])
    if not some.namespace and len(wanted) <= FEW:
        yield from filter(None, (cluster.find(kind, "", ref.name) for ref in sorted(wanted)))
        return
    for page in cluster.pages(kind, some.namespace, at_least=cluster.written(kind)):
        yield from page.items


def _one(
    source: Source,
    plan: Plan,
    target: Target,
    outcome: Outcome,
    wanted: set[Ref],
    touched: set[tuple[str, str, str]],
    told: Mapping[str, set[str]],
) -> list[Problem]:
    """Compare the objects of one place; those in `touched` are not meant to be what the backup holds.

    `told`: object → JSON pointers of what is known not to be as it was; that has not changed since.
    """
    some, left, since = next(iter(wanted)), set(wanted), list[ActionTaken]()
    for live in _live(plan, target, wanted):
        ref = some._replace(name=live["metadata"]["name"])
        if ref not in left or live["metadata"]["uid"] != outcome.uids.get(ref):
            continue
        left.discard(ref)
        if live["metadata"].get("resourceVersion") == outcome.as_sent.get(ref):
            continue
        saved = plan.contents.read(plan.items[ref].slot)
        changed = differing(saved, source.rules.without_dynamic(live))
        changed = [path for path in changed if not _is_told(path, told.get(str(ref), ()))]
        if changed and (ref.type, ref.namespace, ref.name) not in touched:
            why = f"since changed on the target: {', '.join(changed[:3])}"
            since.append(
                ActionTaken(type=ref.type, namespace=ref.namespace, name=ref.name, action=Action.CHANGED, why=why)
            )
    outcome.notable += since  # once, however often the list had to begin again
    return [Problem(what=str(ref), why="was restored and is not there any more") for ref in sorted(left)]
