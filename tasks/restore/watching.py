"""Watch objects of one type in one namespace until they are ready: one list and one watch, however many objects."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ExpiredError, UnreachableError
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.readiness.evaluate import verdict
from kubeferry.tasks.core.kube.readiness.verdict import Context, Verdict
from kubeferry.tasks.core.plugins.registry import RuleBook
from kubeferry.tasks.ports.cluster.cancellation import Stop
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.local.threads import in_threads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.ports.cluster.client import Cluster

WATCH_SECONDS = 5
"""A watch is asked to end this often, since some verdicts change by time alone (a pod that no node takes)."""

CROWDED_SECONDS = 1
"""The same where more is waited for than can be watched at once: each has its turn."""

PAUSE = 0.5
"""Seconds after a watch that broke: one that always breaks at once must not become a storm of lists."""

NO_RULES = RuleBook(())
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

    rules: RuleBook = NO_RULES
    at_least: str = ""
    """The revision that the first list must have: of what was written. "" asks for what the store has by now."""
    stop: Stop = field(default_factory=Stop)
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
        told = MISSING
        if obj is not None:
            told = self.rules.verdict(obj, now, self.context) or verdict(obj, now, self.context)
        self.left[self._ref(name)] = told
        if told.state == "ready":
            del self.left[self._ref(name)]
        elif told.state == "failed":
            self.stop.set()

    def _settled(self) -> bool:
        return not self.left or self.stop.is_set() or time.monotonic() >= self.limit


def wait_together(waits: Sequence[Wait], stopping: Stop) -> Iterator[int]:
    """Wait for everything, and yield how many of `waits` are over; one object that fails ends them all at once.

    So does `stopping`: who waits for it has been told to stop.
    """
    stop, left = Stop(), list(waits)
    for one in waits:
        one.stop = stop
    with stopping.ends(stop.set):
        while left:
            turn = WATCH_SECONDS if len(left) <= THREADS else CROWDED_SECONDS
            over = list(in_threads(lambda one, turn=turn: one.look(turn), left, THREADS))  # type: ignore[misc] # mypy cannot type the default
            left = [one for one, ended in zip(left, over, strict=True) if not ended]
            yield len(waits) - len(left)
