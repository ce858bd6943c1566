"""Look again for the values that were written: a pod that started again meanwhile has another address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.formats.records import STAYS, Problem
from kubeferry.tasks.core.lookup.bindings import Binding, bind, dropped
from kubeferry.tasks.core.lookup.follow import again
from kubeferry.tasks.core.lookup.substitute import shown
from kubeferry.tasks.core.plan.late_values import Dropped, Means, patch
from kubeferry.tasks.plan.bindings import how_late
from kubeferry.tasks.preflight.lookup import follow
from kubeferry.tasks.restore.resolve import patch_in
from kubeferry.tasks.restore.wait import ready
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from kubeferry.tasks.core.formats.records import Rewrite
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.lookup.chain import Chain
    from kubeferry.tasks.plan.state import Item, Plan, Source
    from kubeferry.tasks.ports.cluster.cancellation import Cancellation
    from kubeferry.tasks.preflight.lookup import Lookups
    from kubeferry.tasks.preflight.target import Target
    from kubeferry.tasks.restore.outcome import Outcome
    from kubeferry.tasks.restore.transaction import Transaction

ROUNDS = 3
"""How often changed values are patched in: pods that start again for one have other addresses themselves."""

TITLE = "follow again"


@step(TITLE)
async def follow_again(
    source: Source,
    plan: Plan,
    target: Target,
    lookups: Lookups,
    transaction: Transaction,
    outcome: Outcome,
    cancellation: Cancellation,
) -> list[Problem]:
    """Write the values that have changed since they were written; return those that could not be.

    Raises:
        PermanentError: an object that was patched failed, or is not ready in time.
    """
    return await in_thread(_follow_again, source, plan, target, lookups, transaction, outcome, cancellation)


def _follow_again(
    source: Source,
    plan: Plan,
    target: Target,
    lookups: Lookups,
    transaction: Transaction,
    outcome: Outcome,
    cancellation: Cancellation,
) -> list[Problem]:
    return _Again(source, plan, target, lookups, transaction, outcome, cancellation).done()


@dataclass
class _Again:
    source: Source
    plan: Plan
    target: Target
    lookups: Lookups
    transaction: Transaction
    outcome: Outcome
    cancellation: Cancellation

    def __post_init__(self) -> None:
        left = self.outcome.with_action(STAYS)
        self.items = {
            ref: item
            for ref, item in self.plan.items.items()
            if item.bindings and (ref.type, ref.namespace, ref.name) not in left
        }
        self.written = {
            (ref, each): self.lookups.values[each.chain]
            for ref, item in self.items.items()
            for each in item.bindings
            if each.chain in self.lookups.values
        }
        self.fresh: dict[Chain, str] = {}
        self.problems: dict[tuple[Ref, Binding], Problem] = {}

    def done(self) -> list[Problem]:
        for _ in range(ROUNDS):
            patched = [ref for ref, some in self._stale().items() if self._write(self.items[ref], some)]
            if not patched:
                break
            if self.source.options.wait:
                ready(self.source, self.plan, self.target, self.outcome, self.cancellation, patched, TITLE)
        else:
            for ref, some in self._stale().items():
                self._report(ref, some, f"changes again whenever it is written ({ROUNDS} times)")
        self.lookups.values |= self.fresh
        return [self.problems[key] for key in sorted(self.problems, key=lambda key: (key[0], key[1].use.pointer))]

    def _stale(self) -> dict[Ref, list[Binding]]:
        """Return the bindings whose value is another by now, by object; report those whose value is gone."""
        chains = {each.chain for _, each in self.written}
        held = dict(self.lookups.held)
        seconds = self.source.options.wait_seconds
        self.fresh = follow(
            self.target,
            self.lookups,
            self.cancellation,
            chains,
            seconds,
            reach=lambda some, live: again(some, live, held),
        )
        stale: dict[Ref, list[Binding]] = {}
        for (ref, each), value in self.written.items():
            if each.chain not in self.fresh:
                self._report(ref, [each], f"is gone: nothing was found within {seconds} s")
            elif self.fresh[each.chain] != value and (ref, each) not in self.problems:
                stale.setdefault(ref, []).append(each)
        return stale

    def _write(self, item: Item, stale: list[Binding]) -> bool:
        """Patch new values into an object; return whether there was anything to patch."""
        whole = self.plan.contents.read(item.whole or item.slot)
        # A field that acts can be changed once it is there: only what is immutable stays.
        fixed = [each for each in stale if how_late(whole, each) is Means.IMPOSSIBLE]
        self._report(item.ref, fixed, Means.IMPOSSIBLE.value)
        todo = [each for each in stale if each not in fixed]
        if not todo:
            return False
        absent = self.source.options.absent
        gone = dropped(item.bindings, lambda each: self._value(item, each, todo), absent)
        filled, _ = bind(
            whole,
            [each for each in item.bindings if each.use.pointer not in gone],
            lambda each: self._value(item, each, todo),
            absent,
        )
        pointers = [each.use.pointer for each in todo]
        try:
            patch_in(
                self.target,
                self.transaction,
                self.outcome,
                item,
                lambda live: patch(live, filled, pointers, Dropped(gone)),
            )
        except PermanentError as error:
            self._report(item.ref, todo, str(error))
            return False
        wanted, _ = bind(whole, item.bindings, lambda each: self._value(item, each, todo), absent)
        item.slot = self.plan.contents.append(orjson.dumps(wanted))
        self._rewritten(bind(whole, todo, lambda each: self.fresh[each.chain])[1])
        self.written |= {(item.ref, each): self.fresh[each.chain] for each in todo}
        return True

    def _value(self, item: Item, binding: Binding, todo: list[Binding]) -> str | None:
        return self.fresh[binding.chain] if binding in todo else self.written.get((item.ref, binding))

    def _rewritten(self, rewrites: list[Rewrite]) -> None:
        """Report the new values instead of those that were reported when they were written."""
        again = {(each.object, each.path, each.old) for each in rewrites}
        former = [each for each in self.lookups.rewrites if (each.object, each.path, each.old) not in again]
        self.lookups.rewrites = [*former, *rewrites]

    def _report(self, ref: Ref, bindings: list[Binding], why: str) -> None:
        for each in bindings:
            old, new = self.written[ref, each], self.fresh.get(each.chain)
            now = f", now {shown(each.use, new)}" if new is not None else ""
            text = f"holds {shown(each.use, old)}{now}: {why} ({each.chain.text()})"
            self.problems[ref, each] = Problem(what=f"{ref} {each.use.pointer}", why=text)
