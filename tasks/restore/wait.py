"""Wait until objects are ready, by watching: one list and one watch per type and namespace, however many objects.

Watch objects of one type in one namespace until they are ready: one list and one watch, however many objects.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ExpiredError, KubeferryError, PermanentError, UnreachableError
from kubeferry.tasks.core.formats.records import STAYS, Problem
from kubeferry.tasks.core.jsondoc.edit import Object, get
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.readiness.evaluate import verdict
from kubeferry.tasks.core.kube.readiness.events import cause
from kubeferry.tasks.core.kube.readiness.verdict import Context, Verdict
from kubeferry.tasks.core.plugins.registry import Registry
from kubeferry.tasks.ports.cluster.cancellation import Cancellation
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import clock, progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.preflight.refused import needs
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.plan.state import Plan, Source
    from kubeferry.tasks.ports.cluster.client import Cluster
    from kubeferry.tasks.preflight.target import Target
    from kubeferry.tasks.restore.outcome import Outcome


WATCH_SECONDS = 5
"""A watch is asked to end this often, since some verdicts change by time alone (a pod that no node takes)."""

CROWDED_SECONDS = 1
"""The same where more is waited for than can be watched at once: each has its turn."""

PAUSE = 0.5
"""Seconds after a watch that broke: one that always breaks at once must not become a storm of lists."""

NO_RULES = Registry(())
MISSING = Verdict("waiting", "is not there")


@dataclass
class Wait:
    """Objects of one type in one namespace that are waited for."""

    cluster: Cluster
    kind: ResourceType
    namespace: str
    names: frozenset[str]
    context: Context
    limit: float
    """When to give up, by time.monotonic()."""

    rules: Registry = NO_RULES
    patient: bool = False
    """Whether the others are waited for when one has failed."""
    at_least: str = ""
    """The revision that the first list must have: of what was written. "" asks for what the store has by now."""
    stop: Cancellation = field(default_factory=Cancellation)
    """Set as soon as an object failed; who shares it stops waiting too."""
    left: dict[Ref, Verdict] = field(init=False)
    """What is not ready, and why."""
    _seen: dict[str, Object] = field(init=False, default_factory=dict)
    _revision: str = field(init=False, default="")

    def __post_init__(self) -> None:
        """Begin: nothing was seen yet."""
        self.left = {self._ref(name): MISSING for name in self.names}

    def _ref(self, name: str) -> Ref:
        return Ref(self.kind.group, self.kind.kind, self.namespace, name)

    def until_ready(self) -> dict[Ref, Verdict]:
        """Return the verdicts of those that failed or are still waiting when time is up; nothing when all are ready."""
        while not self.look():
            pass
        return self.left

    def look(self, seconds: int = WATCH_SECONDS) -> bool:
        """List at first, and follow changes for some seconds from then on; return whether the wait is over."""
        if self.stop.is_set():
            return True
        if self._revision:
            self._follow(max(1, min(seconds, int(self.limit - time.monotonic()))))
        else:
            self._list()
        for name in self.names:  # some verdicts change by time alone
            self._judge(name)
        return self._settled()

    def _follow(self, seconds: int) -> None:
        """Watch; where that breaks, or ends early and has said nothing, list again and go on from there."""
        revision, began, broke = self._revision, time.monotonic(), False
        try:
            self._watch(seconds)
        except (ExpiredError, UnreachableError):
            broke = True
        if broke or (self._revision == revision and time.monotonic() - began < seconds / 2 and not self.stop.is_set()):
            self._revision = ""
            time.sleep(PAUSE)

    def _list(self) -> None:
        seen: dict[str, Object] = {}
        try:
            for page in self.cluster.pages(self.kind, self.namespace, at_least=self.at_least):
                revision = page.revision
                named = ((item["metadata"]["name"], item) for item in page.items)
                seen |= {name: item for name, item in named if name in self.names}
        except ExpiredError:
            return  # the list expired midway: list again
        self._seen, self._revision = seen, revision

    def _watch(self, seconds: int) -> None:
        events = self.cluster.watch(self.kind, self.namespace, revision=self._revision, seconds=seconds, stop=self.stop)
        for event, obj in events:
            self._revision = obj["metadata"]["resourceVersion"]
            name = obj["metadata"].get("name")
            if name not in self.names:
                continue
            self._seen[name] = obj
            if event == "DELETED":
                del self._seen[name]
            self._judge(name)
            if self._settled():
                break

    def _judge(self, name: str) -> None:
        obj, now = self._seen.get(name), clock.now()
        found = MISSING
        if obj is not None:
            found = self.rules.verdict(obj, now, self.context) or verdict(obj, now, self.context)
        self.left[self._ref(name)] = found
        if found.state == "ready":
            del self.left[self._ref(name)]
        elif found.state == "failed" and not self.patient:
            self.stop.set()

    def _settled(self) -> bool:
        if not self.left or self.stop.is_set() or time.monotonic() >= self.limit:
            return True
        return self.patient and all(each.state == "failed" for each in self.left.values())


def wait_together(waits: Sequence[Wait], stopping: Cancellation) -> Iterator[int]:
    """Wait for everything, and yield how many of `waits` are over; one object that fails ends all impatient ones.

    So does `stopping`: who waits for it has been asked to stop.
    """
    stop, left = Cancellation(), list(waits)
    for one in waits:
        one.stop = stop
    with stopping.ends(stop.set):
        while left:
            turn = WATCH_SECONDS if len(left) <= THREADS else CROWDED_SECONDS
            over = list(in_threads(lambda one, turn=turn: one.look(turn), left, THREADS))  # type: ignore[misc] # mypy cannot type the default
            left = [one for one, ended in zip(left, over, strict=True) if not ended]
            yield len(waits) - len(left)


SHOWN = 20
"""Objects that an error names; the others are counted."""


@step("wait level {number}")
async def wait(
    source: Source,
    plan: Plan,
    target: Target,
    outcome: Outcome,
    cancellation: Cancellation,
    number: int,
    refs: list[Ref],
) -> None:
    """Wait until the objects of one level are ready.

    What is not ready in time stays, and the result names it with the cause.

    Raises:
        PermanentError: with --rollback-on-failure, objects that failed or were not ready in time, with the cause.
    """
    await in_thread(ready, source, plan, target, outcome, cancellation, refs, f"wait level {number}")


def ready(
    source: Source,
    plan: Plan,
    target: Target,
    outcome: Outcome,
    cancellation: Cancellation,
    refs: Collection[Ref],
    title: str,
) -> None:
    """Wait for objects, but not in vain.

    Those that were not ready when they were backed up are noted, if they are not ready now. What the target had and
    keeps is nobody's to wait for. What needs an object that is not ready would not get ready either.
    """
    items, kept = plan.items, outcome.with_action(STAYS)
    refs = [ref for ref in refs if ref in items and (ref.type, ref.namespace, ref.name) not in kept]
    # The backup knows less than the target: a claim that waits for its first pod looks unready in it, and is not.
    for ref in sorted(_unready_now(source, target, outcome, [ref for ref in refs if items[ref].not_ready])):
        why = f"was not ready when it was backed up: {items[ref].not_ready}"
        outcome.not_ready.append(Problem(what=str(ref), why=why))
    wanted = [ref for ref in refs if not items[ref].not_ready]
    behind = _behind(plan, outcome, wanted)
    wanted = [ref for ref in wanted if ref not in behind]
    left = left_of(source, target, outcome, cancellation, wanted, title, patient=not source.options.rollback_on_failure)
    if left and source.options.rollback_on_failure:
        raise PermanentError(failure_text(source, target, left))
    outcome.unready |= _causes(source, target, left)
    outcome.unready |= {ref: f"not waited for: it needs {need}, which is not ready" for ref, need in behind.items()}


@step("look again at what was not ready")
async def look_again(source: Source, target: Target, outcome: Outcome) -> None:
    """Take from what was not ready in time what is by now."""
    await in_thread(_look_again, source, target, outcome)


def _look_again(source: Source, target: Target, outcome: Outcome) -> None:
    left = {*_unready_now(source, target, outcome, outcome.unready)}
    outcome.unready = {ref: why for ref, why in sorted(outcome.unready.items()) if ref in left}


def _behind(plan: Plan, outcome: Outcome, refs: Iterable[Ref]) -> dict[Ref, Ref]:
    """Return what needs an object that was not ready in time, with that one."""
    if not outcome.unready:
        return {}
    found = ((ref, [need for need in needs(plan, ref) if need in outcome.unready]) for ref in refs)
    return {ref: some[0] for ref, some in found if some}


def _causes(source: Source, target: Target, left: dict[Ref, Verdict]) -> dict[Ref, str]:
    """Return the cause of each object that is not ready; for the first ones, what events and pods say as well."""
    found = {}
    for number, ref in enumerate(sorted(left)):
        verdict, more = left[ref], _because(target, ref) if number < SHOWN else ""
        state = "failed" if verdict.state == "failed" else f"not ready within {source.options.wait_seconds} s"
        found[ref] = f"{state}: {verdict.why}{more}"
    return found


def _unready_now(source: Source, target: Target, outcome: Outcome, refs: Iterable[Ref]) -> list[Ref]:
    """Return what is not ready; that one has failed says nothing of the others."""
    waits = _waits(source, target, outcome, refs, 0)
    return [ref for left in in_threads(lambda one: one.until_ready(), waits, THREADS) for ref in left]


def left_of(
    source: Source,
    target: Target,
    outcome: Outcome,
    cancellation: Cancellation,
    refs: Iterable[Ref],
    title: str,
    *,
    patient: bool = False,
) -> dict[Ref, Verdict]:
    """Return what is not ready when time is up, and why.

    Without `patient`, as soon as an object fails, what has failed by then.
    """
    waits = _waits(source, target, outcome, refs, source.options.wait_seconds)
    for one in waits:
        one.patient = patient
    for done in wait_together(waits, cancellation):
        progress.step(title, done, len(waits))
    cancellation.check()
    some = {ref: each for one in waits for ref, each in one.left.items()}
    failed = {ref: each for ref, each in some.items() if each.state == "failed"}
    return failed if failed and not patient else some


def _because(target: Target, ref: Ref) -> str:
    """Return what a workload's pods wait for, and what its events say: the workload itself only counts them."""
    try:
        live = target.cluster().find(target.type_of(ref), ref.namespace, ref.name)
        causes = [_events(target, ref), _pods(target, live or {})] if ref.namespace else []
    except KubeferryError:
        return ""  # the wait has failed already; the verdict is reported
    return next((f" ({each})" for each in reversed(causes) if each), "")


def _pods(target: Target, live: Object) -> str:
    kind, labels = target.discovery.by_kind("", "Pod"), get(live, "spec", "selector", "matchLabels")
    if not (kind and isinstance(labels, dict) and labels):
        return ""
    query = {"labelSelector": ",".join(f"{key}={value}" for key, value in sorted(labels.items()))}
    pods = target.cluster().list(kind, live["metadata"]["namespace"], query=query)
    judged = ((each["metadata"]["name"], verdict(each, clock.now(), target.context)) for each in pods)
    return next((f"Pod {name}: {each.why}" for name, each in judged if each.state != "ready"), "")


def _events(target: Target, ref: Ref) -> str:
    """Return the cause that Warning events give for an object, or of what is called after it."""
    kind = target.discovery.by_kind("", "Event")
    events = target.cluster().list(kind, ref.namespace, query={"fieldSelector": "type=Warning"}) if kind else []
    own = [each for each in events if str(get(each, "involvedObject", "name")).startswith(ref.name)]
    return cause(own, clock.now()) or ""


def _waits(source: Source, target: Target, outcome: Outcome, refs: Iterable[Ref], seconds: int) -> list[Wait]:
    """Return a wait for each type and namespace of what is not known to be ready."""
    names: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for ref in (ref for ref in refs if ref not in outcome.settled):
        names[ref.group, ref.kind, ref.namespace].add(ref.name)
    limit, cluster = time.monotonic() + seconds, target.cluster()
    kinds = {key: target.type_of(Ref(*key, "")) for key in names}
    return [
        Wait(
            cluster,
            kinds[key],
            key[2],
            frozenset(some),
            target.context,
            limit,
            source.rules,
            at_least=cluster.written(kinds[key]),
        )
        for key, some in sorted(names.items())
    ]


def failure_text(source: Source, target: Target, left: dict[Ref, Verdict]) -> str:
    """Return one line about what is not ready, and why."""
    failed = any(each.state == "failed" for each in left.values())
    shown = [
        f"{ref}{' failed' if failed else ''}: {left[ref].why}{_because(target, ref)}" for ref in sorted(left)[:SHOWN]
    ]
    more = f"; and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
    return ("" if failed else f"not ready within {source.options.wait_seconds} s: ") + "; ".join(shown) + more
