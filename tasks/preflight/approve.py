"""Show a person what a restore would do, and let it go on only when they approve that; nothing is written before.

Look at what a restore would meet on the target, and what it would do about it; nothing is written.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from kubeferry.tasks.core.errors import NotApprovedError
from kubeferry.tasks.core.jsondoc.printable import code, one_line
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.plan.approval import Asking, page, plan_command, rows
from kubeferry.tasks.core.plan.document import document
from kubeferry.tasks.core.plan.existing import decide, mode_of
from kubeferry.tasks.core.plan.forecast import Forecast, Met, changes, met
from kubeferry.tasks.plan.offline import Planned
from kubeferry.tasks.ports.cluster.namespaces import there
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import clock, progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.ports.prefect.approvals import ask, run_url
from kubeferry.tasks.preflight.checks.conflicts import as_bound, serves
from kubeferry.tasks.preflight.lookup import Lookups, follow
from kubeferry.tasks.preflight.run import preflight
from kubeferry.tasks.step import in_thread, log, step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.core.lookup.chain import Chain
    from kubeferry.tasks.plan.state import Plan, Source
    from kubeferry.tasks.ports.cluster.cancellation import Cancellation
    from kubeferry.tasks.ports.cluster.client import Cluster
    from kubeferry.tasks.preflight.target import Target


@step("forecast")
async def forecast(
    source: Source, plan: Plan, target: Target, lookups: Lookups, cancellation: Cancellation
) -> Forecast:
    """Return what is on the target where the restore would write, of a plan that has passed preflight.

    Objects that are being deleted count as gone: a restore waits until they are.
    """
    return await in_thread(_forecast, source, plan, target, lookups, cancellation)


def _forecast(source: Source, plan: Plan, target: Target, lookups: Lookups, cancellation: Cancellation) -> Forecast:
    spaces = {"", *there(target.cluster(), {ref.namespace for ref in plan.items if ref.namespace})}
    places: defaultdict[tuple[str, str, str, str], list[Ref]] = defaultdict(list)
    for ref, item in plan.items.items():
        if ref.namespace in spaces:
            places[ref.group, ref.kind, item.api_version, ref.namespace].append(ref)
    asked = {each.chain for refs in places.values() for ref in refs for each in plan.items[ref].bindings}
    values = follow(target, lookups, cancellation, asked, 0)
    found: list[Met] = []
    for done, (place, refs) in enumerate(sorted(places.items()), start=1):
        found += _met(source, plan, target, place, refs, values)
        progress.step(f"forecast {source.name}", done, len(places))
    return Forecast(tuple(sorted(found, key=lambda each: each.ref)), tuple(plan.rewrites))


def _met(
    source: Source,
    plan: Plan,
    target: Target,
    place: tuple[str, str, str, str],
    refs: Iterable[Ref],
    values: Mapping[Chain, str],
) -> Iterator[Met]:
    group, kind_name, api_version, namespace = place
    found = target.discovery.by_kind(group, kind_name)
    kind = replace(found, version=api_version.rpartition("/")[2]) if found else None
    if kind is None or not serves(target, group, kind):
        return  # what only a CRD of the backup brings has no objects yet
    mode = mode_of(kind, source.options)
    for live in _live(target.cluster(), kind, namespace, set(refs)):
        wanted = as_bound(plan, plan.items[Ref.of(live)], values)
        adopter = plan.adopters.get(Ref.of(live))
        decision = decide(wanted, source.rules.without_dynamic(live), mode, adopter, shared=plan.shared(Ref.of(live)))
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


SHOWN = 5
"""Changes that are named in an error; the error also says how many more there are."""


async def approve(source: Source, plan: Plan, target: Target, lookups: Lookups, cancellation: Cancellation) -> None:
    """Return when a person has approved the plan, which then has passed preflight again and is still what they saw.

    The plan is left as artifacts of the flow run, which is paused until then.

    Raises:
        NotApprovedError: it was refused, nobody answered in time, or it would now do something else.
        PreflightError: the target lacks something by now.
    """
    shown = await forecast(source, plan, target, lookups, cancellation)
    asking = _asking(source, target)
    await _show(source, plan, asking, shown)
    await _ask(asking)
    await preflight(source, plan, target, lookups, cancellation, frozenset())
    differs = list(changes(shown, await forecast(source, plan, target, lookups, cancellation)))
    if differs:
        more = f" and {len(differs) - SHOWN} more" if len(differs) > SHOWN else ""
        raise NotApprovedError(
            f"restore {source.name} would now do something else than what was approved: "
            + "; ".join(differs[:SHOWN])
            + more
        )


def _asking(source: Source, target: Target) -> Asking:
    options, cluster = source.options, target.cluster()
    return Asking(
        name=source.name,
        options=options,
        cluster=f"{cluster.name} ({cluster.host})",
        until=clock.now() + timedelta(seconds=options.approve_seconds),
        command=plan_command(options, source.backup.store.url),
    )


async def _show(source: Source, plan: Plan, asking: Asking, shown: Forecast) -> None:
    shown_plan = await in_thread(lambda: document(Planned(source, plan).parts))
    key = f"restore-{re.sub('[^a-z0-9]+', '-', asking.name)}-plan"
    title = f"restore {asking.name}"
    await asyncio.gather(
        acreate_markdown_artifact(
            page(asking, shown_plan, shown), key=key, description=f"{title}: what is to be approved"
        ),
        acreate_table_artifact(
            rows(shown_plan, shown), key=f"{key}-objects", description=f"{title}: objects in the order they are written"
        ),
    )


async def _ask(asking: Asking) -> None:
    """Pause until a person answers; say at the terminal where and how."""
    name, options = asking.name, asking.options

    def waits() -> None:
        log(f"restore {name} waits for approval until {asking.until:%Y-%m-%d %H:%M:%S} UTC: {run_url()}")
        log(f"see the plan and press Resume there, or: kubeferry approve {name} (--refuse REASON to refuse)")

    about = f"Restore {code(name)} of backup {code(options.backup)} to cluster {code(asking.cluster)}: see *Artifacts*."
    answer = await ask(name, about, options.approve_seconds, waits)
    by, why = one_line(answer.by and f" by {answer.by}"), one_line(answer.reason)
    if answer.decision == "refuse":
        raise NotApprovedError(f"restore {name} was not approved{by}: {why or 'no reason was given'}")
    log(f"restore {name} was approved{by}" + (f": {why}" if why else ""))
