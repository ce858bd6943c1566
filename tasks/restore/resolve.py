"""Follow the chains of a level's bindings on the live target, wait for what is not there yet, write the new values.

Values that come late are patched in as soon as what they need stands. One that is not needed (--absent keep, drop or
empty) is not waited for where it cannot come.

Follow every chain once more at the end of a restore: a pod may have been replaced after its address was written.

A value that has changed is patched in. What cannot be changed any more, does not come to rest, or is gone, is a problem
of the result, which names object, field, old and new value.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import orjson

from kubeferry.tasks.core.errors import InvalidError, PermanentError
from kubeferry.tasks.core.formats.records import STAYS, Intent, Problem
from kubeferry.tasks.core.lookup.bindings import Binding, bind, dropped, policy_of
from kubeferry.tasks.core.lookup.follow import cannot_resolve
from kubeferry.tasks.core.lookup.mutation import ANNOTATION
from kubeferry.tasks.core.lookup.substitute import Absent
from kubeferry.tasks.core.models.options import OnFailure
from kubeferry.tasks.core.plan.late_values import Dropped, Operation, part_of, patch
from kubeferry.tasks.plan.bindings import bare
from kubeferry.tasks.ports.cluster.client import JSON_PATCH
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.preflight.lookup import Lookups, follow
from kubeferry.tasks.preflight.refused import needs
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kubeferry.tasks.core.formats.records import Rewrite
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.lookup.chain import Chain
    from kubeferry.tasks.core.lookup.follow import Live
    from kubeferry.tasks.plan.state import Item, Plan, Source
    from kubeferry.tasks.ports.cluster.cancellation import Cancellation
    from kubeferry.tasks.preflight.target import Target
    from kubeferry.tasks.restore.outcome import Outcome
    from kubeferry.tasks.restore.transaction import Transaction


PATCHES = 5
"""How often a late value is patched in when others change the object meanwhile."""
"""What was done with objects of the target that stay as they are."""


@step("resolve level {number}")
async def resolve(  # noqa: PLR0913, PLR0917 - all that a restore is made of
    source: Source,
    plan: Plan,
    target: Target,
    lookups: Lookups,
    outcome: Outcome,
    cancellation: Cancellation,
    number: int,
    refs: list[Ref],
) -> None:
    """Write the values of the bindings of one level into what will be created.

    An object without a value that it needs is left out where that is a consequence of what is not ready, or with
    --on-failure continue.

    Raises:
        PermanentError: a value is absent when time is up; names the object, the field and the chain.
    """
    await in_thread(_resolve, source, plan, target, lookups, outcome, cancellation, refs, f"resolve level {number}")


@step("resolve late values {number}")
async def resolve_late(  # noqa: PLR0913, PLR0917 - all that a restore is made of
    source: Source,
    plan: Plan,
    target: Target,
    lookups: Lookups,
    transaction: Transaction,
    outcome: Outcome,
    cancellation: Cancellation,
    number: int,
    refs: list[Ref],
) -> None:
    """Patch in the values of objects that were created before what they need, which came with level `number`.

    Raises:
        PermanentError: a value is absent when time is up, or the object cannot be patched.
    """
    await in_thread(
        _resolve_late,
        source,
        plan,
        target,
        lookups,
        transaction,
        outcome,
        cancellation,
        refs,
        f"resolve late values {number}",
    )


def _resolve(  # noqa: PLR0913, PLR0917 - all that a restore is made of
    source: Source,
    plan: Plan,
    target: Target,
    lookups: Lookups,
    outcome: Outcome,
    cancellation: Cancellation,
    refs: Iterable[Ref],
    title: str,
) -> None:
    items = [item for ref in refs if (item := plan.items.get(ref)) and item.bindings]
    vain = _in_vain(plan, outcome, items)
    _follow(source, plan, target, lookups, cancellation, [each for item in items for each in _now(item)], vain)
    known = foreseen(target, lookups, cancellation, items)
    refused: dict[Ref, str] = {}
    for done, item in enumerate(items, start=1):
        try:
            _bind(source, plan, lookups, item, known)
        except PermanentError as error:
            if not _goes_on(source, item, vain):
                raise
            refused[item.ref] = str(error)
        progress.step(title, done, len(items))
    if refused:
        outcome.refuse(plan, refused)


def _in_vain(plan: Plan, outcome: Outcome, items: Iterable[Item]) -> frozenset[Chain]:
    """Return the look-ups of objects that need something that is not ready: such a value may never come."""
    waiting = (item for item in items if any(need in outcome.unready for need in needs(plan, item.ref)))
    return frozenset(each.chain for item in waiting for each in item.bindings) if outcome.unready else frozenset()


def _goes_on(source: Source, item: Item, vain: frozenset[Chain]) -> bool:
    """Return whether the restore goes on without a value of an object."""
    return source.options.on_failure is OnFailure.CONTINUE or any(each.chain in vain for each in item.bindings)


def _now(item: Item) -> list[Binding]:
    return [each for each in item.bindings if each not in item.late]


def foreseen(target: Target, lookups: Lookups, cancellation: Cancellation, items: Iterable[Item]) -> dict[Chain, str]:
    """Return the late values of objects that may be on the target already, as far as they are known now.

    Such an object is compared, and perhaps left as it is. What changes yet is patched in the end like any late value.
    """
    old = [item for item in items if not item.ref.namespace or item.ref.namespace in target.old_namespaces]
    return follow(target, lookups, cancellation, {each.chain for item in old for each in item.late}, 0)


def _bind(source: Source, plan: Plan, lookups: Lookups, item: Item, known: Mapping[Chain, str]) -> None:
    """Write known values into what is planned, all at once: a new value may be another's old one."""
    if item.whole is None:
        return
    ahead = [each for each in item.late if each.chain in known]
    whole = plan.contents.read(item.whole)
    # Places are those of the whole: they are no more once the items of a list go that have no value.
    held = bare(whole, [each for each in item.late if each not in ahead])
    held, rewrites = bound_now(source, lookups, held, [*_now(item), *ahead], known)
    item.slot = plan.contents.append(orjson.dumps(held))
    # What is foreseen is reported when it is sure.
    lookups.rewrites += bound_now(source, lookups, whole, _now(item))[1] if ahead else rewrites


def bound_now(
    source: Source,
    lookups: Lookups,
    body: Object,
    bindings: Iterable[Binding],
    known: Mapping[Chain, str] = MappingProxyType({}),
) -> tuple[Object, list[Rewrite]]:
    """Return an object with the values that are known, absent ones by the policy of their class."""

    def new(each: Binding) -> str | None:
        return lookups.values.get(each.chain, known.get(each.chain))

    return bind(body, bindings, new, source.options.absent)


def _dropped(source: Source, lookups: Lookups, bindings: Iterable[Binding]) -> frozenset[str]:
    return dropped(bindings, lambda each: lookups.values.get(each.chain), source.options.absent)


def _follow(
    source: Source,
    plan: Plan,
    target: Target,
    lookups: Lookups,
    cancellation: Cancellation,
    bindings: Iterable[Binding],
    vain: frozenset[Chain],
) -> None:
    """Follow the chains of bindings once, waiting for each value unless it cannot come and need not.

    Those in `vain` are looked up once.
    """
    bindings = [each for each in bindings if each.chain not in lookups.values]
    policy = source.options.absent
    needed = {each.chain for each in bindings if policy_of(each.kind, policy) is Absent.FAIL}

    def hopeless_now(chain: Chain, live: Live) -> str:
        if chain in vain:
            return "what it is about is not ready"
        return "" if chain in needed else cannot_resolve(chain, live, plan.items)

    chains = {each.chain for each in bindings}
    lookups.values |= follow(target, lookups, cancellation, chains, source.options.wait_seconds, give_up=hopeless_now)
    if "user" not in policy:
        plan.problems += [_kept(each) for each in bindings if each.kind == "user" and each.chain not in lookups.values]


def _kept(binding: Binding) -> Problem:
    """Return the problem of a value that an annotation asks for and nothing gives."""
    why = f"annotation {ANNOTATION} asks for a value that is not there: {binding.chain.text()}"
    return Problem(what=f"{binding.object} {binding.use.pointer}", why=why)


def _resolve_late(  # noqa: PLR0913, PLR0917 - all that a restore is made of
    source: Source,
    plan: Plan,
    target: Target,
    lookups: Lookups,
    transaction: Transaction,
    outcome: Outcome,
    cancellation: Cancellation,
    refs: Iterable[Ref],
    title: str,
) -> None:
    items = [item for ref in refs if (item := plan.items.get(ref)) and item.late]
    vain = _in_vain(plan, outcome, items)
    _follow(source, plan, target, lookups, cancellation, [each for item in items for each in item.late], vain)
    left = outcome.with_action(STAYS)
    for done, item in enumerate(sorted(items, key=lambda item: item.ref), start=1):
        if (item.ref.type, item.ref.namespace, item.ref.name) not in left:
            try:
                _patch(source, plan, target, lookups, transaction, outcome, item)
            except PermanentError as error:
                if not _goes_on(source, item, vain):
                    raise
                outcome.problems.append(Problem(what=str(item.ref), why=str(error)))
        item.late = ()  # a step that is run again neither does nor reports it twice
        progress.step(title, done, len(items))


def _patch(
    source: Source,
    plan: Plan,
    target: Target,
    lookups: Lookups,
    transaction: Transaction,
    outcome: Outcome,
    item: Item,
) -> None:
    if item.whole is None:
        return
    whole, sent = plan.contents.read(item.whole), plan.contents.read(item.slot)
    gone = Dropped(_dropped(source, lookups, _now(item)), _dropped(source, lookups, item.late))
    stays = [each for each in item.bindings if each.use.pointer not in gone.before | gone.now]
    filled, _ = bound_now(source, lookups, whole, stays)
    wanted, _ = bound_now(source, lookups, whole, item.bindings)
    _, rewrites = bound_now(source, lookups, whole, item.late)
    at = {each.use.pointer: part_of(whole, each.use.pointer) for each in item.late}
    pointers = [pointer for pointer, part in at.items() if part == pointer]
    parts = [part for pointer, part in at.items() if part != pointer]  # these were left out as a whole
    patch_in(
        target,
        transaction,
        outcome,
        item,
        lambda live: [*patch(live, filled, pointers, gone, sent), *patch(live, wanted, parts)],
    )
    item.slot = plan.contents.append(orjson.dumps(wanted))
    lookups.rewrites += rewrites


def patch_in(
    target: Target,
    transaction: Transaction,
    outcome: Outcome,
    item: Item,
    operations: Callable[[Object], list[Operation]],
) -> None:
    """Patch an object by what `operations` returns for the live one; nothing where that is nothing.

    Raises:
        PermanentError: the target refuses it.
    """
    cluster, kind = target.cluster(), target.type_of_item(item)
    for turn in range(PATCHES):
        live = cluster.get(kind, item.ref.namespace, item.ref.name)
        todo = operations(live)
        if not todo:
            return
        transaction.keep(item.ref, Intent.PATCH, live)
        outcome.patched.add(item.ref)
        try:
            cluster.patch(kind, item.ref.namespace, item.ref.name, todo, content_type=JSON_PATCH)
        except InvalidError as error:  # a `test` failed: somebody changed the object between our look and our patch
            if turn == PATCHES - 1:
                raise PermanentError(f"{item.ref}: a value that came late cannot be patched in: {error}") from error
        else:
            return
