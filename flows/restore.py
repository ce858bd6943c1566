"""Restore: download, plan, preflight, (approve,) namespaces, CRDs, levels { resolve, apply, wait }, relink, verify.

It is a transaction: a failed restore is rolled back, a killed one can be resumed or undone (tasks/README.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.runtime import flow_run

from kubeferry.tasks.backup.from_bundle import keep_bundle
from kubeferry.tasks.core.errors import KubeferryError
from kubeferry.tasks.core.models.options import BundleMode, RestoreOptions
from kubeferry.tasks.plan.bindings import late_turns
from kubeferry.tasks.plan.build import plan
from kubeferry.tasks.plan.download import download, refuse_plain
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.local.workdir import workdir
from kubeferry.tasks.ports.prefect.parameters import flow_of
from kubeferry.tasks.preflight.approve import approve
from kubeferry.tasks.preflight.run import preflight
from kubeferry.tasks.report import report, report_failure, report_stopped
from kubeferry.tasks.restore.after.follow_again import follow_again
from kubeferry.tasks.restore.after.relink import relink, unpause
from kubeferry.tasks.restore.after.verify import verify_restored
from kubeferry.tasks.restore.apply import apply
from kubeferry.tasks.restore.back.rollback import rollback
from kubeferry.tasks.restore.begin import begin, hold, take_slot, take_up
from kubeferry.tasks.restore.bundle import make_bundle, set_bundle_status
from kubeferry.tasks.restore.finish import finish, to_finish
from kubeferry.tasks.restore.managers import give_back, to_give_back
from kubeferry.tasks.restore.namespaces import apply_crds, create_namespace, dry_run, wait_until_served
from kubeferry.tasks.restore.outcome import end, failed, restored
from kubeferry.tasks.restore.resolve import resolve, resolve_late
from kubeferry.tasks.restore.state import Restore, close, prepared
from kubeferry.tasks.restore.wait import look_again, wait
from kubeferry.tasks.step import log, side_by_side

if TYPE_CHECKING:
    from datetime import datetime

    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.models.results import RestoreResult


MOVES = 80
"""Most characters of a run's name for renamed namespaces; longer lists are only in its parameters."""


def _run_name() -> str:
    asked = flow_run.parameters
    if asked.get("resume"):
        return f"resume restore {asked['resume']}"
    moved = ", ".join(f"{old} → {new}" for old, new in asked.get("map", {}).items())
    what = asked.get("from_bundle") or asked.get("backup")
    return f"restore {what}" + (f" ({moved})" if moved and len(moved) <= MOVES else "")


@flow_of(RestoreOptions, name="restore", flow_run_name=_run_name)
async def restore(options: RestoreOptions) -> RestoreResult:
    """Restore a backup, under the same names or others, into the same cluster or another one.

    Nothing is written before preflight has checked that the target has everything that is needed.
    """
    started = clock.now()
    with workdir() as work:
        if options.from_bundle and not options.resume:
            options = await keep_bundle(options, work)
        found = await download(options, work)
        under_way = prepared(found.source, found.plan, found.resumed)
        try:
            refuse_plain(under_way.source)
        except BaseException:
            close(under_way)
            raise
        async with take_slot(under_way.source, under_way.target):
            result = await carry_out(under_way, started)
    await report(result)
    return result


async def carry_out(restore: Restore, started: datetime) -> RestoreResult:
    """Do a restore that was downloaded, as a transaction."""
    try:
        await _begin(restore)
        await _restore(restore)
        result = await _finish(restore, started)
    except KubeferryError as error:
        error.result = failed(
            restore.source,
            restore.plan,
            restore.target,
            restore.lookups,
            restore.outcome,
            error,
            await rollback(restore.source, restore.plan, restore.target, restore.transaction),
            started,
        )
        await report_failure(error.result)
        raise
    finally:
        if close(restore):
            await report_stopped(restore.source, restore.plan, restore.outcome)
    log(f"restore {result.name}: {result.phase}, {result.objects} objects in {result.levels} levels")
    return result


async def _finish(restore: Restore, started: datetime) -> RestoreResult:
    problems = (
        await follow_again(
            restore.source,
            restore.plan,
            restore.target,
            restore.lookups,
            restore.transaction,
            restore.outcome,
            restore.cancellation,
        )
        if restore.lookups.values
        else []
    )
    if restore.outcome.unready:
        await look_again(restore.source, restore.target, restore.outcome)
    if to_finish(restore.plan, restore.transaction, restore.outcome):
        await finish(restore.plan, restore.target, restore.transaction, restore.outcome)
    if to_give_back(restore.plan, restore.transaction, restore.outcome):
        await give_back(restore.plan, restore.target, restore.transaction, restore.outcome)
    problems += [
        *restore.outcome.problems,
        *await verify_restored(restore.source, restore.plan, restore.target, restore.outcome),
    ]
    result = restored(restore.source, restore.plan, restore.target, restore.lookups, restore.outcome, problems, started)
    if restore.transaction.bundles:
        await set_bundle_status(restore.source, restore.plan, restore.target, restore.transaction, result.phase.value)
    await end(restore.transaction, result)
    return result


async def _begin(restore: Restore) -> None:
    """Plan, see that the target has what is needed, have it approved, and open the journal: then it may be written."""
    await plan(restore.source, restore.plan)
    if restore.transaction.resumed:
        await take_up(restore.source, restore.plan, restore.target, restore.transaction, restore.outcome)
    await preflight(
        restore.source, restore.plan, restore.target, restore.lookups, restore.cancellation, restore.transaction.made
    )
    if restore.source.options.approve and not restore.transaction.resumed:
        await approve(restore.source, restore.plan, restore.target, restore.lookups, restore.cancellation)
    if not restore.transaction.resumed:
        await begin(restore.source, restore.plan, restore.target, restore.transaction)


async def _restore(restore: Restore) -> None:
    await side_by_side(
        lambda name: create_namespace(
            restore.source, restore.plan, restore.target, restore.transaction, restore.outcome, name
        ),
        restore.plan.namespaces,
    )
    await hold(restore.plan, restore.transaction)
    await dry_run(restore.source, restore.plan, restore.target, restore.transaction)
    if restore.plan.definitions:
        await apply_crds(restore.source, restore.plan, restore.target, restore.transaction, restore.outcome)
        await wait_until_served(restore.source, restore.plan, restore.target, restore.outcome, restore.cancellation)
    if restore.source.options.bundle is not BundleMode.NONE:
        await make_bundle(restore.source, restore.plan, restore.target, restore.transaction)
    written, stands = late_turns(restore.plan)
    await _late(restore, 0, [*written.get(0, []), *stands.get(0, [])])
    for number in range(1, len(restore.plan.order.levels) + 1):
        level = restore.plan.order.levels[number - 1]  # what is refused goes out of the levels that are left
        if any(restore.plan.items[ref].bindings for ref in level):
            await resolve(
                restore.source,
                restore.plan,
                restore.target,
                restore.lookups,
                restore.outcome,
                restore.cancellation,
                number,
                level,
            )
        await apply(restore.source, restore.plan, restore.target, restore.transaction, restore.outcome, number, level)
        await _late(restore, number, written.get(number, []))
        if restore.source.options.wait:
            await wait(
                restore.source, restore.plan, restore.target, restore.outcome, restore.cancellation, number, level
            )
        await _late(restore, number, stands.get(number, []))
    if restore.outcome.pending:
        await relink(restore.plan, restore.target, restore.transaction, restore.outcome)
    if restore.outcome.paused or restore.plan.scheduled:
        await unpause(restore.plan, restore.target, restore.transaction, restore.outcome)


async def _late(restore: Restore, number: int, refs: list[Ref]) -> None:
    """Patch in what came late, and wait for those that it changed."""
    if refs:
        await resolve_late(
            restore.source,
            restore.plan,
            restore.target,
            restore.lookups,
            restore.transaction,
            restore.outcome,
            restore.cancellation,
            number,
            refs,
        )
        if restore.source.options.wait:
            await wait(
                restore.source, restore.plan, restore.target, restore.outcome, restore.cancellation, number, refs
            )
