"""Follow chains of look-ups on the target: all that they ask for is read once, and watched while a value is missing.

Few objects of a kind in a namespace are read by name, more as one list, however many bindings there are.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ExpiredError, ForbiddenError, UnreachableError
from kubeferry.tasks.core.lookup.chain import together
from kubeferry.tasks.core.lookup.follow import Live, read, walk
from kubeferry.tasks.ports.cluster.pages import begun_again
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.threads import in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kubeferry.tasks.core.formats.records import Rewrite
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.core.lookup.chain import Ask, Chain
    from kubeferry.tasks.ports.cluster.cancellation import Cancellation
    from kubeferry.tasks.preflight.target import Target

WATCH_SECONDS = 5
PAUSE = 0.5
"""Seconds between two looks at what cannot be watched."""


class Lookups:
    """What was looked up on the target for one restore."""

    def __init__(self) -> None:
        """Begin; nothing was looked up yet."""
        self.values: dict[Chain, str] = {}
        """Chains that were followed, with what was found."""
        self.held: dict[Chain, str] = {}
        """Chains that were followed, with the uid of the object that gave the value."""
        self.rewrites: list[Rewrite] = []
        """Values that were written in place of the old cluster's."""

    def __repr__(self) -> str:
        """Return how it is shown among a step's parameters."""
        return f"{len(self.values)} values"


def reach(chains: Iterable[Chain], live: Live) -> dict[Chain, Object]:
    """Return the objects that chains read, without those that are not there."""
    return {chain: found for chain in chains if (found := walk(chain.steps[:-1], live)) is not None}


def never(_chain: Chain, _live: Live) -> str:
    """Give no look-up up."""
    return ""


def follow(
    target: Target,
    lookups: Lookups,
    cancellation: Cancellation,
    chains: Iterable[Chain],
    seconds: float,
    *,
    reach: Callable[[Iterable[Chain], Live], dict[Chain, Object]] = reach,
    give_up: Callable[[Chain, Live], str] = never,
) -> dict[Chain, str]:
    """Return the values of chains on the target, and note in `lookups.held` which object gave each.

    Args:
        target: the cluster.
        lookups: takes note of the objects that gave the values.
        cancellation: ends the wait.
        chains: what to follow.
        seconds: how long to wait for values that are not there.
        reach: returns the objects that chains lead to, among those that were read.
        give_up: returns why a value is not waited for; "" where it is.
    """
    values: dict[Chain, str] = {}
    missing, limit = set(chains), time.monotonic() + seconds
    while missing:
        cancellation.check()
        answered_by = together(ask for chain in missing for ask in chain.asks())
        asks = sorted(set(answered_by.values()))
        answers = list(in_threads(lambda ask: (ask, *_read(target, ask)), asks, THREADS))
        live = Live(obj for _, objects, _ in answers for obj in objects)
        for chain, obj in reach(missing, live).items():
            if (value := read(chain.read, obj)) is not None:
                values[chain], lookups.held[chain] = value, str(obj["metadata"].get("uid", ""))
        missing -= values.keys()
        missing -= {chain for chain in missing if _given_up(chain, give_up(chain, live))}
        if not missing or time.monotonic() >= limit:
            break
        first = min(missing, key=lambda chain: chain.text())
        progress.note(f"waiting for {first.text()}" + (f" and {len(missing) - 1} more" if len(missing) > 1 else ""))
        revisions = {ask: revision for ask, _, revision in answers}
        last = answered_by[first.asks()[-1]]
        _wait(target, cancellation, last, revisions[last], min(WATCH_SECONDS, max(1, int(limit - time.monotonic()))))
    return values


def _given_up(chain: Chain, why: str) -> bool:
    if why:
        progress.note(f"not waiting for {chain.text()}: {why}")
    return bool(why)


def _read(target: Target, ask: Ask) -> tuple[list[Object], str]:
    """Return what a look-up asks for, and the revision to watch from: "" for what is not there, or not known."""
    kind = target.discovery.by_kind(ask.group, ask.kind)
    if kind is None:
        return [], ""
    if ask.name:
        found = target.cluster().find(kind, ask.namespace if kind.namespaced else "", ask.name)
        return ([found], found["metadata"].get("resourceVersion", "")) if found else ([], "")
    return begun_again(lambda: _listed(target, kind, ask.namespace))


def _listed(target: Target, kind: ResourceType, namespace: str) -> tuple[list[Object], str]:
    objects, revision = [], ""
    for page in target.cluster().pages(kind, namespace):
        objects += page.items
        revision = page.revision
    return objects, revision


def _wait(target: Target, cancellation: Cancellation, ask: Ask, revision: str, seconds: int) -> None:
    """Return after what was asked for changed, or a few seconds; what is not there yet is reported when it comes."""
    kind = target.discovery.by_kind(ask.group, ask.kind)
    if kind is None:
        time.sleep(PAUSE)
        return
    namespace, stop = ask.namespace if kind.namespaced else "", cancellation
    query = {"fieldSelector": f"metadata.name={ask.name}"} if ask.name else None
    try:
        for _ in target.cluster().watch(kind, namespace, revision=revision, seconds=seconds, query=query, stop=stop):
            return
    except (ExpiredError, UnreachableError, ForbiddenError):  # who may read may not always watch
        time.sleep(PAUSE)  # the next look reads everything again
