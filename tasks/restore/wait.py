"""Wait until objects are ready, by watching: one list and one watch per type and namespace, however many objects."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import KubeferryError, PermanentError
from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.jsondoc.edit import Object, get
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.readiness.evaluate import verdict
from kubeferry.tasks.core.kube.readiness.events import cause
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import clock, progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.preflight.target import type_of
from kubeferry.tasks.restore.watching import Wait, wait_together
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from kubeferry.tasks.core.kube.readiness.verdict import Verdict
    from kubeferry.tasks.plan.state import Restoring

SHOWN = 20
"""Objects that an error names; the others are counted."""


@step("wait level {number}")
async def wait(restoring: Restoring, number: int, refs: list[Ref]) -> None:
    """Wait until the objects of one level are ready.

    Raises:
        PermanentError: an object failed, or was not ready in time; each is named with the reason.
    """
    await in_thread(ready, restoring, refs, f"wait level {number}")


def ready(restoring: Restoring, refs: Collection[Ref], title: str) -> None:
    """Wait for objects; those that were not ready when they were backed up are not waited for, and noted if need be."""
    items = restoring.plan.items
    # The backup knows less than the target: a claim that waits for its first pod looks unready in it, and is not.
    for ref in sorted(_unready_now(restoring, [ref for ref in refs if items[ref].not_ready])):
        why = f"was not ready when it was backed up: {items[ref].not_ready}"
        restoring.not_ready.append(Problem(what=str(ref), why=why))
    left = _left(restoring, [ref for ref in refs if not items[ref].not_ready], title)
    if left:
        raise PermanentError(_told(restoring, left))


def _unready_now(restoring: Restoring, refs: Iterable[Ref]) -> list[Ref]:
    """Return what is not ready; that one has failed says nothing of the others."""
    waits = _waits(restoring, refs, 0)
    return [ref for left in in_threads(lambda one: one.until_ready(), waits, THREADS) for ref in left]


def _left(restoring: Restoring, refs: Iterable[Ref], title: str) -> dict[Ref, Verdict]:
    """Return what is not ready when time is up, and why; as soon as an object fails, only what is known then."""
    waits = _waits(restoring, refs, restoring.options.wait_seconds)
    for done in wait_together(waits, restoring.stopping):
        progress.step(title, done, len(waits))
    restoring.check()
    some = {ref: each for one in waits for ref, each in one.left.items()}
    return {ref: each for ref, each in some.items() if each.state == "failed"} or some


def _because(restoring: Restoring, ref: Ref) -> str:
    """Return what a workload's pods wait for, and what its events say: the workload itself only counts them."""
    try:
        live = restoring.target().find(type_of(restoring, ref), ref.namespace, ref.name)
        told = [_events(restoring, ref), _pods(restoring, live or {})] if ref.namespace else []
    except KubeferryError:
        return ""  # the wait has failed already; what it failed with is the error to tell
    return next((f" ({each})" for each in reversed(told) if each), "")


def _pods(restoring: Restoring, live: Object) -> str:
    kind, labels = restoring.discovery.by_kind("", "Pod"), get(live, "spec", "selector", "matchLabels")
    if not (kind and isinstance(labels, dict) and labels):
        return ""
    query = {"labelSelector": ",".join(f"{key}={value}" for key, value in sorted(labels.items()))}
    pods = restoring.target().list(kind, live["metadata"]["namespace"], query=query)
    judged = ((each["metadata"]["name"], verdict(each, clock.now(), restoring.context)) for each in pods)
    return next((f"Pod {name}: {each.why}" for name, each in judged if each.state != "ready"), "")


def _events(restoring: Restoring, ref: Ref) -> str:
    """Return the cause that Warning events tell of an object, or of what is called after it."""
    kind = restoring.discovery.by_kind("", "Event")
    events = restoring.target().list(kind, ref.namespace, query={"fieldSelector": "type=Warning"}) if kind else []
    own = [each for each in events if str(get(each, "involvedObject", "name")).startswith(ref.name)]
    return cause(own, clock.now()) or ""


def _waits(restoring: Restoring, refs: Iterable[Ref], seconds: int) -> list[Wait]:
    """Return a wait for each type and namespace of what is not known to be ready."""
    names: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for ref in (ref for ref in refs if ref not in restoring.settled):
        names[ref.group, ref.kind, ref.namespace].add(ref.name)
    limit, cluster = time.monotonic() + seconds, restoring.target()
    kinds = {key: type_of(restoring, Ref(*key, "")) for key in names}
    return [
        Wait(
            cluster,
            kinds[key],
            key[2],
            frozenset(some),
            restoring.context,
            limit,
            restoring.rules,
            at_least=cluster.written(kinds[key]),
        )
        for key, some in sorted(names.items())
    ]


def _told(restoring: Restoring, left: dict[Ref, Verdict]) -> str:
    failed = any(each.state == "failed" for each in left.values())
    shown = [
        f"{ref}{' failed' if failed else ''}: {left[ref].why}{_because(restoring, ref)}" for ref in sorted(left)[:SHOWN]
    ]
    more = f"; and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
    return ("" if failed else f"not ready within {restoring.options.wait_seconds} s: ") + "; ".join(shown) + more
