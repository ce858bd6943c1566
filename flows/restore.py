"""Restore: download, plan, preflight, (approve,) namespaces, CRDs, levels { resolve, apply, wait }, relink, verify.

It is a transaction: a failed restore is rolled back, a killed one can be resumed or undone (tasks/README.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import flow
from prefect.runtime import flow_run

from kubeferry.tasks.core.errors import KubeferryError
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.core.models.results import RestoreResult
from kubeferry.tasks.plan.bindings import late_turns
from kubeferry.tasks.plan.build import plan
from kubeferry.tasks.plan.download import download
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.local.workdir import workdir
from kubeferry.tasks.preflight.approve import approve
from kubeferry.tasks.preflight.checks import preflight
from kubeferry.tasks.report import report, report_failure, report_stopped
from kubeferry.tasks.restore.apply import apply
from kubeferry.tasks.restore.begin import begin, hold, take_slot, take_up
from kubeferry.tasks.restore.bundle import make_bundle, tell_bundle
from kubeferry.tasks.restore.namespaces import apply_crds, create_namespace, wait_until_served
from kubeferry.tasks.restore.outcome import end, failed, restored
from kubeferry.tasks.restore.relink import relink, unpause
from kubeferry.tasks.restore.resolve import follow_again, resolve, resolve_late
from kubeferry.tasks.restore.rollback import rollback
from kubeferry.tasks.restore.verify import verify_restored
from kubeferry.tasks.restore.wait import wait
from kubeferry.tasks.step import side_by_side, tell

if TYPE_CHECKING:
    from datetime import datetime

    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.plan.state import Restoring


MOVES = 80
"""Most characters of a run's name for renamed namespaces; longer lists are only in its parameters."""


def _run_name() -> str:
    options = flow_run.parameters["options"]
    asked = options if isinstance(options, dict) else options.model_dump()
    if asked.get("resume"):
        return f"resume restore {asked['resume']}"
    moved = ", ".join(f"{old} → {new}" for old, new in asked.get("map", {}).items())
    return f"restore {asked.get('backup')}" + (f" ({moved})" if moved and len(moved) <= MOVES else "")


@flow(name="restore", flow_run_name=_run_name, persist_result=False)
async def restore(options: RestoreOptions) -> RestoreResult:
    """Restore a backup, under the same names or others, into the same cluster or another one.

    Nothing is written before preflight has checked that the target has everything that is needed.
    """
    started = clock.now()
    with workdir() as work:
        restoring = await download(options, work)
        async with take_slot(restoring):
            result = await carry_out(restoring, started)
    await report(result)
    return result


async def carry_out(restoring: Restoring, started: datetime) -> RestoreResult:
    """Carry out a downloaded restore, as a transaction."""
    try:
        await _begin(restoring)
        await _restore(restoring)
        result = await _finish(restoring, started)
    except KubeferryError as error:
        error.result = failed(restoring, error, await rollback(restoring), started)
        await report_failure(error.result)
        raise
    finally:
        if restoring.close():
            await report_stopped(restoring)
    tell(f"restore {result.name}: {result.phase}, {result.objects} objects in {result.levels} levels")
    return result


async def _finish(restoring: Restoring, started: datetime) -> RestoreResult:
    problems = await follow_again(restoring) if restoring.values else []
    problems += [*restoring.problems, *await verify_restored(restoring)]
    result = restored(restoring, problems, started)
    if restoring.bundles:
        await tell_bundle(restoring, result.phase.value)
    await end(restoring, result)
    return result


async def _begin(restoring: Restoring) -> None:
    """Plan, check the target, wait for approval if asked for, and open the journal: nothing is written before."""
    await plan(restoring)
    if restoring.resumed:
        await take_up(restoring)
    await preflight(restoring)
    if restoring.options.approve and not restoring.resumed:
        await approve(restoring)
    if not restoring.resumed:
        await begin(restoring)


async def _restore(restoring: Restoring) -> None:
    await side_by_side(lambda name: create_namespace(restoring, name), restoring.plan.namespaces)
    await hold(restoring)
    if restoring.plan.definitions:
        await apply_crds(restoring)
        await wait_until_served(restoring)
    if restoring.options.bundle:
        await make_bundle(restoring)
    written, stands = late_turns(restoring)
    await _late(restoring, 0, [*written.get(0, []), *stands.get(0, [])])
    for number, level in enumerate(restoring.plan.order.levels, start=1):
        if any(restoring.plan.items[ref].bindings for ref in level):
            await resolve(restoring, number, level)
        await apply(restoring, number, level)
        await _late(restoring, number, written.get(number, []))
        if restoring.options.wait:
            await wait(restoring, number, level)
        await _late(restoring, number, stands.get(number, []))
    if restoring.pending:
        await relink(restoring)
    if restoring.paused or restoring.plan.scheduled:
        await unpause(restoring)


async def _late(restoring: Restoring, number: int, refs: list[Ref]) -> None:
    """Patch late values in, and wait until the changed objects are ready."""
    if refs:
        await resolve_late(restoring, number, refs)
        if restoring.options.wait:
            await wait(restoring, number, refs)
