"""Export: (backup of the cluster,) download, plan, write the objects into a folder, report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prefect.runtime import flow_run

from kubeferry.flows.backup import backup
from kubeferry.tasks.core.formats.losses import weighty, without_repetition
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.models.options_export import ExportFormat, ExportOptions
from kubeferry.tasks.core.models.results import ExportResult
from kubeferry.tasks.export.write import README, check_out, name_release, write
from kubeferry.tasks.plan.build import plan
from kubeferry.tasks.plan.download import download, refuse_plain
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.local.workdir import workdir
from kubeferry.tasks.ports.prefect.parameters import flow_of
from kubeferry.tasks.report import report_export
from kubeferry.tasks.step import log

if TYPE_CHECKING:
    from datetime import datetime

    from kubeferry.tasks.core.models.results import BackupResult
    from kubeferry.tasks.export.write import Written
    from kubeferry.tasks.plan.state import Plan, Source


def _run_name() -> str:
    asked = flow_run.parameters
    return f"export {asked.get('backup') or asked.get('from_cluster')} as {asked.get('format') or 'yaml'}"


@flow_of(ExportOptions, name="export", flow_run_name=_run_name)
async def export(options: ExportOptions) -> ExportResult:
    """Write the objects of a backup, or of a namespace as it is now, as files that people keep in Git.

    Nothing is written to a cluster or to the store.
    """
    started = clock.now()
    check_out(options)
    with workdir() as work:
        made = await _backed_up(options, work) if options.from_cluster else None
        asked = options.of_restore(made.name, made.store) if made else options.of_restore()
        found = await download(asked, work)
        try:
            refuse_plain(found.source)
            if options.format is ExportFormat.HELM:
                name_release(found.source)
            found.plan.as_files = True
            await plan(found.source, found.plan)
            written = await write(found.source, found.plan, options)
            result = _result(options, found.source, found.plan, written, made, started)
        finally:
            found.source.close()
            found.plan.contents.close()
    log(f"export {result.name}: {result.phase}, {result.objects} objects in {result.files} files, {result.out}")
    await report_export(result, (Path(result.out) / README).read_text(encoding="utf-8"))
    return result


async def _backed_up(options: ExportOptions, work: Path) -> BackupResult:
    """Back the namespace up into a store that is deleted with the work folder."""
    return await backup(options.of_cluster(f"{options.from_cluster}-export", (work / "store").as_uri()))


def _result(
    options: ExportOptions,
    source: Source,
    plan: Plan,
    written: Written,
    made: BackupResult | None,
    started: datetime,
) -> ExportResult:
    findings = written.findings
    problems = [*(made.problems if made else []), *plan.problems, *findings.problems]
    lost = without_repetition([*(made.losses if made else []), *plan.losses])
    whole = not problems and not findings.dynamic and not weighty(lost)
    return ExportResult(
        name=options.what,
        phase=Phase.COMPLETED if whole else Phase.PARTIAL,
        store="" if made else source.backup.store.url,
        started=started,
        completed=clock.now(),
        counts=written.counts,
        left_out=[*(made.left_out if made else []), *plan.left_out],
        problems=problems,
        losses=lost,
        warnings=[
            *(made.warnings if made else []),
            *plan.warnings,
            *findings.warnings,
            *findings.releases,
        ],
        format=options.format.value,
        out=written.out,
        namespaces={old: old if options.format is ExportFormat.HELM else new for old, new in plan.names().items()},
        files=written.files,
        bytes=written.bytes,
        secrets=findings.secrets,
        dynamic=findings.dynamic,
        unowned=findings.unowned,
    )
