"""Wait until objects are ready, by watching: one list and one watch per type and namespace, however many objects."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tasks.apply import type_of
from tasks.core.causes import cause
from tasks.core.edit import get
from tasks.core.errors import ExpiredError, KubeferryError, PermanentError, UnreachableError
from tasks.core.manifest import Problem
from tasks.core.objects import Object, Ref
from tasks.core.readiness import Context, Verdict, verdict
from tasks.core.rule_book import RuleBook
from tasks.ports import clock, progress
from tasks.ports.threads import in_threads
from tasks.ports.transport import THREADS
from tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tasks.core.resources import ResourceType
    from tasks.ports.cluster import Cluster
    from tasks.restoring import Restoring

WATCH_SECONDS = 5
"""A watch is asked to end this often, since some verdicts change by time alone (a pod that no node takes)."""


NO_RULES = RuleBook(())


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

    rules: RuleBook = NO_RULES
    seen: dict[str, Object] = field(default_factory=dict)

    def until_ready(self) -> dict[str, Verdict]:
        """Return the verdicts of those that failed or are still waiting when time is up; nothing when all are ready."""
        while True:
            revision = self._list()
            while not self._settled():
                try:
                    revision = self._watch(revision)
                except (ExpiredError, UnreachableError):
                    break  # list again and go on from there
            else:
                return self._unready()

    def _list(self) -> str:
        revision, self.seen = "", {}
        for page in self.cluster.pages(self.kind, self.namespace):
            revision = page.revision
            self.seen |= {
                item["metadata"]["name"]: item for item in page.items if item["metadata"]["name"] in self.names
            }
        return revision

    def _watch(self, revision: str) -> str:
        """Follow changes for a while, until settled; return the revision to go on from."""
        seconds = max(1, min(WATCH_SECONDS, int(self.limit - time.monotonic())))
        for event, obj in self.cluster.watch(self.kind, self.namespace, revision=revision, seconds=seconds):
            revision = obj["metadata"]["resourceVersion"]
            name = obj["metadata"].get("name")
            if name not in self.names:
                continue
            if event == "DELETED":
                self.seen.pop(name, None)
            else:
                self.seen[name] = obj
            if self._settled():
                break
        return revision

    def _settled(self) -> bool:
        left = self._unready()
        return not left or any(each.state == "failed" for each in left.values()) or time.monotonic() >= self.limit

    def _unready(self) -> dict[str, Verdict]:
        now = clock.now()
        missing = {name: Verdict("waiting", "is not there") for name in self.names - self.seen.keys()}
        judged = {
            name: self.rules.verdict(obj, now, self.context) or verdict(obj, now, self.context)
            for name, obj in self.seen.items()
        }
        return missing | {name: each for name, each in judged.items() if each.state != "ready"}


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
    for ref in sorted(_left(restoring, [ref for ref in refs if items[ref].not_ready], title, seconds=0)):
        why = f"was not ready when it was backed up: {items[ref].not_ready}"
        restoring.not_ready.append(Problem(what=str(ref), why=why))
    wanted = [ref for ref in refs if not items[ref].not_ready]
    left = _left(restoring, wanted, title, seconds=restoring.options.wait_seconds)
    if left:
        left = {ref: replace(each, why=each.why + _because(restoring, ref)) for ref, each in left.items()}
        raise PermanentError(_told(left, restoring.options.wait_seconds))


def _left(restoring: Restoring, refs: Iterable[Ref], title: str, *, seconds: int) -> dict[Ref, Verdict]:
    """Return what is not ready after at most `seconds`, and why."""
    waits = _waits(restoring, [ref for ref in refs if ref not in restoring.settled], seconds)
    left: dict[Ref, Verdict] = {}
    for done, (one, verdicts) in enumerate(in_threads(lambda one: (one, one.until_ready()), waits, THREADS), start=1):
        progress.step(title, done, len(waits))
        group, kind = one.kind.group, one.kind.kind
        left |= {Ref(group, kind, one.namespace, name): each for name, each in verdicts.items()}
    return left


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
    names: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for ref in refs:
        names[ref.group, ref.kind, ref.namespace].add(ref.name)
    limit = time.monotonic() + seconds
    return [
        Wait(
            restoring.target(),
            type_of(restoring, Ref(*key, "")),
            key[2],
            frozenset(some),
            restoring.context,
            limit,
            restoring.rules,
        )
        for key, some in sorted(names.items())
    ]


def _told(left: dict[Ref, Verdict], seconds: int) -> str:
    failed = {ref: each for ref, each in left.items() if each.state == "failed"}
    if failed:
        return "; ".join(f"{ref} failed: {each.why}" for ref, each in sorted(failed.items()))
    return f"not ready within {seconds} s: " + "; ".join(f"{ref}: {each.why}" for ref, each in sorted(left.items()))
