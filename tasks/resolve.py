"""Follow the chains of a level's bindings on the live target, wait for what is not there yet, write the new values.

Everything that a level's chains ask for is read once, however many bindings there are; while a value is missing, the
step watches instead of polling. Values that come late are patched in as soon as what they need stands.
"""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING

import orjson

from tasks.apply import type_of_item
from tasks.bound import bare
from tasks.core.bindings import bind
from tasks.core.chain_pick import Live, pick
from tasks.core.cycles import patch
from tasks.core.errors import ExpiredError, ForbiddenError, InvalidError, PermanentError, UnreachableError
from tasks.ports import progress
from tasks.ports.cluster import JSON_PATCH
from tasks.ports.pages import begun_again
from tasks.ports.threads import in_threads
from tasks.ports.transport import THREADS
from tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tasks.core.bindings import Binding
    from tasks.core.chains import Ask, Chain
    from tasks.core.objects import Object, Ref
    from tasks.core.resources import ResourceType
    from tasks.core.results import Rewrite
    from tasks.restoring import Item, Restoring

WATCH_SECONDS = 5
PAUSE = 0.5
"""Seconds between two looks at what cannot be watched."""
PATCHES = 5
"""How often a late value is patched in when others change the object meanwhile."""
LEFT = ("kept", "skipped")
"""What was done with objects of the target that stay as they are."""


@step("resolve level {number}")
async def resolve(restoring: Restoring, number: int, refs: list[Ref]) -> None:
    """Write the values of the bindings of one level into what will be created.

    Raises:
        PermanentError: a value is absent when time is up; names the object, the field and the chain.
    """
    await in_thread(_resolve, restoring, refs, f"resolve level {number}")


@step("resolve late values {number}")
async def resolve_late(restoring: Restoring, number: int, refs: list[Ref]) -> None:
    """Patch in the values of objects that were created before what they need, which came with level `number`.

    Raises:
        PermanentError: a value is absent when time is up, or the object cannot be patched.
    """
    await in_thread(_resolve_late, restoring, refs, f"resolve late values {number}")


def _resolve(restoring: Restoring, refs: Iterable[Ref], title: str) -> None:
    items = [item for ref in refs if (item := restoring.plan.items[ref]).bindings]
    _follow(restoring, {each.chain for item in items for each in _now(item)})
    known = foreseen(restoring, items)
    for done, item in enumerate(items, start=1):
        _bind(restoring, item, known)
        progress.step(title, done, len(items))


def _now(item: Item) -> list[Binding]:
    return [each for each in item.bindings if each not in item.late]


def foreseen(restoring: Restoring, items: Iterable[Item]) -> dict[Chain, str]:
    """Return the late values of objects that may be on the target already, as far as they are known now.

    Such an object is compared, and perhaps left as it is. What changes yet is patched in the end like any late value.
    """
    old = [item for item in items if not item.ref.namespace or item.ref.namespace in restoring.old_namespaces]
    return follow(restoring, {each.chain for item in old for each in item.late}, 0)


def _bind(restoring: Restoring, item: Item, known: Mapping[Chain, str]) -> None:
    """Write known values into what is planned, all at once: a new value may be another's old one."""
    if item.whole is None:
        return
    ahead = [each for each in item.late if each.chain in known]
    whole = restoring.planned.read(item.whole)
    bound, rewrites = bound_now(restoring, whole, [*_now(item), *ahead], known)
    held = bare(bound, [each for each in item.late if each not in ahead])
    item.slot = restoring.planned.append(orjson.dumps(held))
    # What is foreseen is told when it is sure.
    restoring.rewrites += bound_now(restoring, whole, _now(item))[1] if ahead else rewrites


def bound_now(
    restoring: Restoring, body: Object, bindings: Iterable[Binding], known: Mapping[Chain, str] = MappingProxyType({})
) -> tuple[Object, list[Rewrite]]:
    """Return an object with the values that are known, absent ones by the policy of their class."""

    def new(each: Binding) -> str | None:
        return restoring.values.get(each.chain, known.get(each.chain))

    return bind(body, bindings, new, restoring.options.absent)


def _follow(restoring: Restoring, chains: set[Chain]) -> None:
    missing = {chain for chain in chains if chain not in restoring.values}
    restoring.values |= follow(restoring, missing, restoring.options.wait_seconds)


def follow(restoring: Restoring, chains: Iterable[Chain], seconds: float) -> dict[Chain, str]:
    """Return the values of `chains` on the target, waiting for those that are not there for up to `seconds`."""
    values: dict[Chain, str] = {}
    missing, limit = set(chains), time.monotonic() + seconds
    while missing:
        asks = sorted({ask for chain in missing for ask in chain.asks()})
        answers = list(in_threads(lambda ask: (ask, *_read(restoring, ask)), asks, THREADS))
        live = Live(obj for _, objects, _ in answers for obj in objects)
        values |= {chain: value for chain in missing if (value := pick(chain, live)) is not None}
        missing -= values.keys()
        if not missing or time.monotonic() >= limit:
            break
        first = min(missing, key=lambda chain: chain.text())
        progress.note(f"waiting for {first.text()}" + (f" and {len(missing) - 1} more" if len(missing) > 1 else ""))
        revisions = {ask: revision for ask, _, revision in answers}
        last = first.asks()[-1]
        _wait(restoring, last, revisions[last], min(WATCH_SECONDS, max(1, int(limit - time.monotonic()))))
    return values


def _read(restoring: Restoring, ask: Ask) -> tuple[list[Object], str]:
    """Return what a look-up asks for, and the revision to watch from: "" for what is not there, or not known."""
    kind = restoring.discovery.by_kind(ask.group, ask.kind)
    if kind is None:
        return [], ""
    if ask.name:
        found = restoring.target().find(kind, ask.namespace if kind.namespaced else "", ask.name)
        return ([found], found["metadata"].get("resourceVersion", "")) if found else ([], "")
    return begun_again(lambda: _listed(restoring, kind, ask.namespace))


def _listed(restoring: Restoring, kind: ResourceType, namespace: str) -> tuple[list[Object], str]:
    objects, revision = [], ""
    for page in restoring.target().pages(kind, namespace):
        objects += page.items
        revision = page.revision
    return objects, revision


def _wait(restoring: Restoring, ask: Ask, revision: str, seconds: int) -> None:
    """Return after what was asked for changed, or a few seconds; what is not there yet is told when it comes."""
    kind = restoring.discovery.by_kind(ask.group, ask.kind)
    if kind is None:
        time.sleep(PAUSE)
        return
    namespace = ask.namespace if kind.namespaced else ""
    query = {"fieldSelector": f"metadata.name={ask.name}"} if ask.name else None
    try:
        for _ in restoring.target().watch(kind, namespace, revision=revision, seconds=seconds, query=query):
            return
    except (ExpiredError, UnreachableError, ForbiddenError):  # who may read may not always watch
        time.sleep(PAUSE)  # the next look reads everything anew


def _resolve_late(restoring: Restoring, refs: Iterable[Ref], title: str) -> None:
    items = [item for ref in refs if (item := restoring.plan.items[ref]).late]
    _follow(restoring, {each.chain for item in items for each in item.late})
    left = {(each.type, each.namespace, each.name) for each in restoring.notable if each.action in LEFT}
    for done, item in enumerate(sorted(items, key=lambda item: item.ref), start=1):
        if (item.ref.type, item.ref.namespace, item.ref.name) not in left:
            _patch(restoring, item)
        item.late = ()  # a step that is run again has not to do it, nor to tell it, twice
        progress.step(title, done, len(items))


def _patch(restoring: Restoring, item: Item) -> None:
    if item.whole is None:
        return
    whole = restoring.planned.read(item.whole)
    wanted, _ = bound_now(restoring, whole, item.bindings)
    _, rewrites = bound_now(restoring, whole, item.late)
    cluster, kind = restoring.target(), type_of_item(restoring, item)
    pointers = [each.use.pointer for each in item.late]
    for turn in range(PATCHES):
        live = cluster.get(kind, item.ref.namespace, item.ref.name)
        operations = patch(live, wanted, pointers)
        if not operations:
            break
        restoring.keep(item.ref, "patch", live)
        try:
            cluster.patch(kind, item.ref.namespace, item.ref.name, operations, content_type=JSON_PATCH)
            break
        except InvalidError as error:  # a `test` failed: somebody changed the object between our look and our patch
            if turn == PATCHES - 1:
                raise PermanentError(f"{item.ref}: a value that came late cannot be patched in: {error}") from error
    item.slot = restoring.planned.append(orjson.dumps(wanted))
    restoring.rewrites += rewrites
