"""Look at what a restore would meet on the target, and what it would do about it; nothing is written."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.plan.existing import decide, mode_of
from kubeferry.tasks.core.plan.forecast import Forecast, Met, met
from kubeferry.tasks.ports.cluster.namespaces import there
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.preflight.conflicts import as_bound, serves
from kubeferry.tasks.preflight.lookup import follow
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.core.lookup.chain import Chain
    from kubeferry.tasks.plan.state import Restoring
    from kubeferry.tasks.ports.cluster.client import Cluster


@step("forecast")
async def forecast(restoring: Restoring) -> Forecast:
    """Return what is on the target where the restore would write, of a plan that has passed preflight.

    Objects that are being deleted count as gone: a restore waits until they are.
    """
    return await in_thread(_forecast, restoring)


def _forecast(restoring: Restoring) -> Forecast:
    spaces = {"", *there(restoring.target(), {ref.namespace for ref in restoring.plan.items if ref.namespace})}
    places: defaultdict[tuple[str, str, str, str], list[Ref]] = defaultdict(list)
    for ref, item in restoring.plan.items.items():
        if ref.namespace in spaces:
            places[ref.group, ref.kind, item.api_version, ref.namespace].append(ref)
    asked = {each.chain for refs in places.values() for ref in refs for each in restoring.plan.items[ref].bindings}
    values = follow(restoring, asked, 0)
    found: list[Met] = []
    for done, (place, refs) in enumerate(sorted(places.items()), start=1):
        found += _met(restoring, place, refs, values)
        progress.step(f"forecast {restoring.name}", done, len(places))
    return Forecast(tuple(sorted(found, key=lambda each: each.ref)), tuple(restoring.plan.rewrites))


def _met(
    restoring: Restoring, place: tuple[str, str, str, str], refs: Iterable[Ref], values: Mapping[Chain, str]
) -> Iterator[Met]:
    group, kind_name, api_version, namespace = place
    found = restoring.discovery.by_kind(group, kind_name)
    kind = replace(found, version=api_version.rpartition("/")[2]) if found else None
    if kind is None or not serves(restoring, group, kind):
        return  # what only a CRD of the backup brings has no objects yet
    mode = mode_of(kind, restoring.options)
    for live in _live(restoring.target(), kind, namespace, set(refs)):
        wanted = as_bound(restoring, restoring.plan.items[Ref.of(live)], values)
        adopter = restoring.plan.adopters.get(Ref.of(live))
        decision = decide(wanted, restoring.rules.without_dynamic(live), mode, adopter)
        yield met(Ref.of(live), str(live["metadata"]["uid"]), decision)


def _live(cluster: Cluster, kind: ResourceType, namespace: str, refs: set[Ref]) -> Iterator[Object]:
    """Yield those objects that are there; cluster-wide ones are asked for by name, as there may be many of others."""
    if namespace:
        objects: Iterable[Object | None] = cluster.list(kind, namespace)
    else:
        objects = in_threads(lambda ref: cluster.find(kind, "", ref.name), sorted(refs), THREADS)
    for live in objects:
        if live and Ref.of(live) in refs and not live["metadata"].get("deletionTimestamp"):
            yield live
