"""Follow every chain once more at the end of a restore: a pod may have been replaced after its address was written.

A value that has changed is patched in. What cannot be changed any more, does not come to rest, or is gone, is a problem
of the result, which names object, field, old and new value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.lookup.bindings import Binding, bind, dropped
from kubeferry.tasks.core.lookup.follow import again
from kubeferry.tasks.core.lookup.substitute import shown
from kubeferry.tasks.core.plan.late_values import Dropped, How, patch
from kubeferry.tasks.plan.bindings import how_late
from kubeferry.tasks.preflight.lookup import follow
from kubeferry.tasks.restore.resolve import LEFT, patch_in
from kubeferry.tasks.restore.wait import ready
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from kubeferry.tasks.core.formats.records import Rewrite
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.lookup.chain import Chain
    from kubeferry.tasks.plan.state import Item, Restoring

ROUNDS = 3
"""How often changed values are patched in: pods that start anew for one have other addresses themselves."""

TITLE = "follow again"


@step(TITLE)
async def follow_again(restoring: Restoring) -> list[Problem]:
    """Write the values that have changed since they were written; return those that could not be.

    Raises:
        PermanentError: an object that was patched failed, or is not ready in time.
    """
    return await in_thread(_follow_again, restoring)


def _follow_again(restoring: Restoring) -> list[Problem]:
    return _Again(restoring).done()


class _Again:
    def __init__(self, restoring: Restoring) -> None:
        self.restoring = restoring
        left = {(each.type, each.namespace, each.name) for each in restoring.notable if each.action in LEFT}
        self.items = {
            ref: item
            for ref, item in restoring.plan.items.items()
            if item.bindings and (ref.type, ref.namespace, ref.name) not in left
        }
        self.written = {
            (ref, each): restoring.values[each.chain]
            for ref, item in self.items.items()
            for each in item.bindings
            if each.chain in restoring.values
        }
        self.fresh: dict[Chain, str] = {}
        self.problems: dict[tuple[Ref, Binding], Problem] = {}

    def done(self) -> list[Problem]:
        for _ in range(ROUNDS):
            patched = [ref for ref, some in self._stale().items() if self._write(self.items[ref], some)]
            if not patched:
                break
            if self.restoring.options.wait:
                ready(self.restoring, patched, TITLE)
        else:
            for ref, some in self._stale().items():
                self._tell(ref, some, f"changes again whenever it is written ({ROUNDS} times)")
        self.restoring.values |= self.fresh
        return [self.problems[key] for key in sorted(self.problems, key=lambda key: (key[0], key[1].use.pointer))]

    def _stale(self) -> dict[Ref, list[Binding]]:
        """Return the bindings whose value is another by now, by object; tell those whose value is gone."""
        chains = {each.chain for _, each in self.written}
        held = dict(self.restoring.held)
        seconds = self.restoring.options.wait_seconds
        self.fresh = follow(self.restoring, chains, seconds, reach=lambda some, live: again(some, live, held))
        stale: dict[Ref, list[Binding]] = {}
        for (ref, each), value in self.written.items():
            if each.chain not in self.fresh:
                self._tell(ref, [each], f"is gone: nothing was found within {seconds} s")
            elif self.fresh[each.chain] != value and (ref, each) not in self.problems:
                stale.setdefault(ref, []).append(each)
        return stale

    def _write(self, item: Item, stale: list[Binding]) -> bool:
        """Patch new values into an object; return whether there was anything to patch."""
        whole = self.restoring.planned.read(item.whole or item.slot)
        fixed = [each for each in stale if how_late(whole, each) is How.IMPOSSIBLE]
        self._tell(item.ref, fixed, How.IMPOSSIBLE.value)
        todo = [each for each in stale if each not in fixed]
        if not todo:
            return False
        absent = self.restoring.options.absent
        gone = dropped(item.bindings, lambda each: self._value(item, each, todo), absent)
        filled, _ = bind(
            whole,
            [each for each in item.bindings if each.use.pointer not in gone],
            lambda each: self._value(item, each, todo),
            absent,
        )
        pointers = [each.use.pointer for each in todo]
        try:
            patch_in(self.restoring, item, lambda live: patch(live, filled, pointers, Dropped(gone)))
        except PermanentError as error:
            self._tell(item.ref, todo, str(error))
            return False
        wanted, _ = bind(whole, item.bindings, lambda each: self._value(item, each, todo), absent)
        item.slot = self.restoring.planned.append(orjson.dumps(wanted))
        self._rewritten(bind(whole, todo, lambda each: self.fresh[each.chain])[1])
        self.written |= {(item.ref, each): self.fresh[each.chain] for each in todo}
        return True

    def _value(self, item: Item, binding: Binding, todo: list[Binding]) -> str | None:
        return self.fresh[binding.chain] if binding in todo else self.written.get((item.ref, binding))

    def _rewritten(self, rewrites: list[Rewrite]) -> None:
        """Tell the new values in place of those that were told when they were written."""
        again = {(each.object, each.path, each.old) for each in rewrites}
        former = [each for each in self.restoring.rewrites if (each.object, each.path, each.old) not in again]
        self.restoring.rewrites = [*former, *rewrites]

    def _tell(self, ref: Ref, bindings: list[Binding], why: str) -> None:
        for each in bindings:
            old, new = self.written[ref, each], self.fresh.get(each.chain)
            now = f", now {shown(each.use, new)}" if new is not None else ""
            told = f"holds {shown(each.use, old)}{now}: {why} ({each.chain.text()})"
            self.problems[ref, each] = Problem(what=f"{ref} {each.use.pointer}", why=told)
