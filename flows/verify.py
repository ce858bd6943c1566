"""Verify: choose backups → verify each → report. It needs only a store, and fails when a backup is damaged."""

from __future__ import annotations

from prefect.runtime import flow_run

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.models.options_maintenance import VerifyOptions
from kubeferry.tasks.core.models.results import VerifyResult, phase_of, verdict
from kubeferry.tasks.maintain.catch_up import catch_up
from kubeferry.tasks.maintain.verify import choose_backups, prove_backup
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.prefect.parameters import flow_of
from kubeferry.tasks.ports.store.open import open_store
from kubeferry.tasks.report import report_verified
from kubeferry.tasks.step import log, side_by_side


def _run_name() -> str:
    asked = flow_run.parameters
    return f"verify {asked.get('backup') or 'the newest'}"


@flow_of(VerifyOptions, name="verify", flow_run_name=_run_name)
async def verify(options: VerifyOptions) -> VerifyResult:
    """Read backups back from the store, compare them with their manifests, and check that a restore's order holds.

    Raises:
        DamagedError: a backup is damaged; raised after all have been verified.
    """
    started = clock.now()
    await catch_up()
    names = await choose_backups(options)
    found = await side_by_side(lambda name: prove_backup(options, name), names, limit=2)
    store = open_store(options.store).url
    result = VerifyResult(phase=phase_of(found), store=store, started=started, completed=clock.now(), backups=found)
    for each in found:
        log(f"backup {each.name}: {verdict(each)}")
    await report_verified(result)
    if damaged := result.damaged:
        raise DamagedError("; ".join(each.error for each in damaged))
    return result
