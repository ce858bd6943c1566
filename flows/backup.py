"""Back up namespaces: discover → fetch → index → strip → upload → verify.

With a selection: … index → find candidates → select → write → upload …: what selected objects need is known only then.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prefect.runtime import flow_run

from kubeferry.tasks.backup.candidates import find_candidates, find_related_candidates
from kubeferry.tasks.backup.discover import discover
from kubeferry.tasks.backup.fetch import fetch, fetch_at_once
from kubeferry.tasks.backup.index import index
from kubeferry.tasks.backup.named import fetch_named
from kubeferry.tasks.backup.select import select, write
from kubeferry.tasks.backup.state import CLUSTER, Fetched, Scope
from kubeferry.tasks.backup.strip import strip, strip_related
from kubeferry.tasks.backup.upload import upload
from kubeferry.tasks.core.errors import ExpiredError
from kubeferry.tasks.core.formats.manifest import Selected
from kubeferry.tasks.core.models.options import BackupOptions
from kubeferry.tasks.core.models.results import BackupResult
from kubeferry.tasks.maintain.catch_up import catch_up
from kubeferry.tasks.maintain.verify import verify
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.local.gc import settle
from kubeferry.tasks.ports.local.workdir import workdir
from kubeferry.tasks.ports.prefect.parameters import flow_of
from kubeferry.tasks.ports.prefect.runs import deployment_name
from kubeferry.tasks.ports.store.open import open_store
from kubeferry.tasks.report import report
from kubeferry.tasks.step import as_one, log, side_by_side

if TYPE_CHECKING:
    from datetime import datetime

    from kubeferry.tasks.backup.state import Stripped
    from kubeferry.tasks.core.formats.manifest import Manifest
    from kubeferry.tasks.core.lookup.derive import Known

REVISIONS = 3
"""How many revisions a backup tries. etcd compacts one after 5 minutes by default, so a second try is rare."""


def _run_name() -> str:
    asked = flow_run.parameters
    return f"backup {asked.get('name') or ' '.join(asked.get('namespaces') or [asked.get('namespace_selector', '')])}"


@flow_of(BackupOptions, name="backup", flow_run_name=_run_name)
async def backup(options: BackupOptions) -> BackupResult:
    """Back up namespaces into a store, all at one point in time.

    The result lists what is missing: a type that could not be read makes the backup Partial.
    """
    started = clock.now()
    settle()
    await catch_up()
    with workdir() as work:
        scope, fetched = await _read(options, str(work))
        known = await index(scope)
        if scope.selector.given:
            candidates = await side_by_side(lambda name: find_candidates(scope, name, known), scope.namespaces)
            scope, named = await fetch_named(scope, candidates)
            fetched.append(named)
            candidates.append(await find_related_candidates(scope, candidates, known))
            chosen = await select(scope, fetched, candidates)
            stripped = await side_by_side(lambda each: write(each, chosen), candidates)
            manifest = await upload(scope, fetched, stripped, started, chosen.manifest_selection)
        else:
            stripped = await _stripped(scope, known)
            scope, named = await fetch_named(scope, stripped)
            fetched.append(named)
            stripped.append(await strip_related(scope, stripped, known))
            del known  # as large as all that an upload needs
            manifest = await upload(scope, fetched, stripped, started)
        proof = await verify(options.store, manifest.name)
    result = _result(scope, manifest, proof.bytes, started)
    log(f"backup {result.name}: {result.phase}, {result.objects} objects")
    await report(result)
    return result


async def _stripped(scope: Scope, known: Known) -> list[Stripped]:
    async def each() -> list[Stripped]:
        return await side_by_side(lambda name: strip(scope, name, known), scope.namespaces)

    # For hundreds of namespaces, a task run each would cost more than the work itself.
    return await (as_one(f"strip {len(scope.namespaces)} namespaces", each) if scope.at_once else each())


async def _read(options: BackupOptions, work: str) -> tuple[Scope, list[Fetched]]:
    by = await deployment_name()
    for attempt in range(1, REVISIONS + 1):
        scope = replace(await discover(options, work), deployment=by)
        try:
            if scope.at_once:
                return scope, [await fetch_at_once(scope), await fetch(scope, CLUSTER)]
            return scope, await side_by_side(lambda name: fetch(scope, name), [*scope.namespaces, CLUSTER])  # noqa: B023 - awaited before the next turn
        except ExpiredError:
            if attempt == REVISIONS:
                raise
            log(f"revision {scope.revision} was compacted away while it was read: starting again at a new one")
    raise AssertionError("unreachable: the last attempt returns or raises")


def _result(scope: Scope, manifest: Manifest, size: int, started: datetime) -> BackupResult:
    selection = manifest.selection or Selected(asked="")
    return BackupResult(
        name=manifest.name,
        phase=manifest.phase,
        store=open_store(scope.options.store).url,
        started=started,
        completed=clock.now(),
        counts=manifest.counts,
        left_out=manifest.left_out,
        problems=manifest.problems,
        losses=manifest.losses,
        warnings=selection.warnings,
        selection=selection.asked,
        pulled_in=selection.pulled_in,
        cluster=manifest.source.context,
        namespaces=manifest.namespaces,
        revision=manifest.revision,
        not_at_revision=manifest.not_at_revision,
        bindings=manifest.bindings,
        bytes=size,
        encrypted_to=list(scope.recipients),
    )
