"""What a restore comes to: its result when it is whole, partial or failed, and the last word in its journal."""

from __future__ import annotations

from collections import Counter
from threading import Lock
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.losses import Loss, LossCode, weighty, without_repetition
from kubeferry.tasks.core.formats.records import STAYS, UNTOUCHED, Action, ActionTaken, Cause, Phase, Problem
from kubeferry.tasks.core.models.results import RestoreResult
from kubeferry.tasks.core.plan.kept import is_as_sent, not_kept
from kubeferry.tasks.plan.state import Plan
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.preflight.refused import leave_out, log_left_out
from kubeferry.tasks.restore.transaction import Transaction
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence
    from datetime import datetime

    from kubeferry.tasks.core.errors import KubeferryError
    from kubeferry.tasks.core.graph.closure import Missing
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.core.models.results import RollbackResult
    from kubeferry.tasks.core.plugins.registry import Paused
    from kubeferry.tasks.plan.state import Plan, Source
    from kubeferry.tasks.preflight.lookup import Lookups
    from kubeferry.tasks.preflight.target import Target
    from kubeferry.tasks.restore.transaction import Transaction


class Outcome:
    """What came of a restore so far, object by object; safe to report to from many threads."""

    def __init__(self, plan: Plan) -> None:
        """Begin with what the plan itself could not do."""
        self.uids: dict[Ref, str] = {}
        """Target identity → uid on the target, of every object that is there now."""
        self.settled: set[Ref] = set()
        """Objects that were ready when they were created; kinds of which nothing is known are never among them."""
        self.as_sent: dict[Ref, str] = {}
        """resourceVersion of each object that is stored as it was sent: while it has that, it has not changed."""
        self.pending: list[Ref] = []
        """Objects whose owner did not exist yet: re-linked at the end."""
        self.paused: dict[Ref, Paused] = {}
        """Objects that were created paused, until everything is there."""
        self.patched: set[Ref] = set()
        """Objects of which the restore owns fields, until they are given back."""
        self.statuses: set[Ref] = set()
        """Objects whose status was written, or refused."""
        self.counts: Counter[str] = Counter()
        self.actions: Counter[str] = Counter()
        self.notable: list[ActionTaken] = []
        self.not_ready: list[Problem] = []
        """What was not ready when it was backed up, and is not now."""
        self.unready: dict[Ref, str] = {}
        """What was written and was not ready in time, or not waited for because of that, with the cause."""
        self.problems = plan.problems
        self.losses: list[Loss] = []
        """What writing showed not to be as it was."""
        self._lock = Lock()

    def __repr__(self) -> str:
        """Return how it is shown among a step's parameters."""
        return f"{len(self.uids)} objects"

    def note(self, ref: Ref, uid: str, action: Action, why: str = "") -> None:
        """Note what was done with one object."""
        with self._lock:
            self.uids[ref] = uid
            self.counts[ref.type] += 1
            self.actions[action] += 1
            if action != Action.CREATED or why:
                self.notable.append(
                    ActionTaken(type=ref.type, namespace=ref.namespace, name=ref.name, action=action, why=why)
                )

    def lose(self, ref: Ref, code: LossCode, detail: str = "", *, path: str = "") -> None:
        """Note that something of an object is not as it was."""
        with self._lock:
            self.losses.append(Loss.of(ref, code, detail, path=path))

    def compare(self, ref: Ref, kind: ResourceType, sent: Object, stored: Object) -> None:
        """Note what the target did not keep of an object, or changed while it created it."""
        status = "status" not in kind.subresources
        if is_as_sent(sent, stored, status=status):
            if ref not in self.paused:
                self.as_sent[ref] = str(stored["metadata"].get("resourceVersion", ""))
            return
        for path, code in not_kept(sent, stored, status=status):
            self.lose(ref, code, path=path)

    def refuse(self, plan: Plan, refused: Mapping[Ref, str]) -> None:
        """Take out of the plan what the target refuses, each with the reason, and what needs that; note all of it."""
        lost = leave_out(plan, refused, self.uids)
        with self._lock:
            self.losses += lost
        log_left_out(lost)

    def with_action(self, actions: Container[Action]) -> set[tuple[str, str, str]]:
        """Return type, namespace and name of the notable objects with which one of `actions` was done."""
        return {(each.type, each.namespace, each.name) for each in self.notable if each.action in actions}


def done(
    transaction: Transaction,
    outcome: Outcome,
    ref: Ref,
    uid: str,
    action: Action,
    why: str = "",
    *,
    wrote: str = "",
) -> None:
    """Note what was done with one object, in the journal too; `wrote` is the digest of what it has now, if changed."""
    transaction.did(ref, uid, action, wrote)
    outcome.note(ref, uid, action, why)


def recalled(transaction: Transaction, outcome: Outcome, ref: Ref, uid: str, action: Action) -> None:
    """Note what was done with one object, which the journal holds already."""
    transaction.know(ref, uid, action)
    outcome.note(ref, uid, action)


@step("close the journal")
async def end(transaction: Transaction, result: RestoreResult) -> None:
    """Write into the journal how the restore ended, and let its leases go: from now on there is nothing to resume."""
    await in_thread(_end, transaction, result)


def _end(transaction: Transaction, result: RestoreResult) -> None:
    problems = f"{len(result.problems)} problems" if result.problems else ""
    transaction.journal.end(
        "Partial" if result.phase is Phase.PARTIAL else "Completed", problems, not_as_it_was(result)
    )
    if transaction.hold:
        transaction.hold.release()


def restored(
    source: Source,
    plan: Plan,
    target: Target,
    lookups: Lookups,
    outcome: Outcome,
    problems: Sequence[Problem],
    started: datetime,
) -> RestoreResult:
    """Return the result of a restore that came to its end."""
    return _result(
        source,
        plan,
        target,
        lookups,
        outcome,
        Phase.PARTIAL if problems or outcome.unready or weighty(_losses(plan, outcome)) else Phase.COMPLETED,
        started,
        problems=list(problems),
    )


def failed(  # noqa: PLR0913, PLR0917 - all that a restore is made of
    source: Source,
    plan: Plan,
    target: Target,
    lookups: Lookups,
    outcome: Outcome,
    error: KubeferryError,
    taken_back: RollbackResult | None,
    started: datetime,
) -> RestoreResult:
    """Return the result of a restore that failed, with what became of what it had done."""
    return _result(
        source, plan, target, lookups, outcome, Phase.FAILED, started, error=str(error), taken_back=taken_back
    )


HAD_BEEN_THERE = UNTOUCHED | {Action.LINKED, Action.UPDATED, Action.LEFT}
"""With these, the object is the one that the target had, or that a controller made."""


def _losses(plan: Plan, outcome: Outcome) -> list[Loss]:
    """Return what is not as it was, by the plan and by what writing showed.

    A claim that was there when it was to be written, or came with other content, did not come back empty.
    """
    there = {each.text for each in outcome.notable if each.action in HAD_BEEN_THERE}
    planned = [each for each in plan.losses if each.code != LossCode.COMES_BACK_EMPTY or each.object not in there]
    return without_repetition([*planned, *outcome.losses])


def not_as_it_was(result: RestoreResult) -> list[Loss]:
    """Return all that a result says not to be as it was, as one list: what `kubeferry show` of a restore prints."""
    found = [*result.losses]
    found += [Loss.of(each.what, LossCode.PROBLEM, each.why) for each in result.problems]
    found += [Loss.of(each.what, LossCode.NOT_READY, each.why) for each in result.not_ready]
    found += [Loss.of(each.what, LossCode.WARNING, each.why) for each in result.warnings]
    found += [Loss.of(each.text, LossCode.LEFT_OUT, each.why) for each in result.left_out]
    found += [
        Loss.of(each.text, LossCode.DIFFERENT, f"{each.action.value}{': ' * bool(each.why)}{each.why}")
        for each in result.notable
        if each.why or each.action in STAYS
    ]
    return without_repetition([*found, *_rewritten(result)])


def _rewritten(result: RestoreResult) -> Iterator[Loss]:
    """Yield one loss for all rewrites of an object with one reason.

    A journal is not encrypted, as a backup may be: it says where and why, but no value. What is allocated anew is
    among the losses.
    """
    places: dict[tuple[str, str], list[str]] = {}
    for each in result.rewrites:
        if each.cause is Cause.ALLOCATED:
            continue
        places.setdefault((each.object, each.why), []).append(each.path)
    for (named, why), paths in places.items():
        more = f", and at {len(paths) - 1} more places" if len(paths) > 1 else ""
        yield Loss.of(named, LossCode.REWRITTEN, f"rewritten{more}: {why}", path=paths[0])


def _lacking(each: Missing) -> Problem:
    return Problem(what=str(each.ref), why=each.text)


def _result(
    source: Source,
    plan: Plan,
    target: Target,
    lookups: Lookups,
    outcome: Outcome,
    phase: Phase,
    started: datetime,
    **more: object,
) -> RestoreResult:
    return RestoreResult(
        name=source.name,
        phase=phase,
        store=source.backup.store.url,
        started=started,
        completed=clock.now(),
        counts=dict(sorted(outcome.counts.items())),
        left_out=plan.left_out,
        warnings=[*map(_lacking, plan.missing), *plan.warnings, *plan.grants, *plan.occupied],
        backup=source.options.backup,
        cluster=target.cluster().name,
        namespaces=plan.names(),
        actions=dict(outcome.actions),
        notable=sorted(outcome.notable, key=lambda each: (each.type, each.namespace, each.name)),
        rewrites=[*plan.rewrites, *lookups.rewrites],
        losses=_losses(plan, outcome),
        levels=len(plan.order.levels),
        not_ready=[*outcome.not_ready, *(Problem(what=str(ref), why=why) for ref, why in outcome.unready.items())],
        **more,
    )
