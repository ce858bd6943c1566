"""Write the objects of a plan into a folder: as plain files, for Kustomize, or as a Helm chart."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from kubeferry.tasks.core.errors import PermanentError, UsageError
from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.models.options_export import ExportFormat, SecretMode
from kubeferry.tasks.core.plan.export.helm.bundle import HELD, MOST
from kubeferry.tasks.core.plan.export.helm.chart import Chart
from kubeferry.tasks.core.plan.export.helm.extras import chart_name, extras
from kubeferry.tasks.core.plan.export.helm.order import misplaced, turns
from kubeferry.tasks.core.plan.export.helm.releases import Releases
from kubeferry.tasks.core.plan.export.helm.text import RELEASE
from kubeferry.tasks.core.plan.export.helm.waiting import never_ready
from kubeferry.tasks.core.plan.export.kustomize import BASE, OVERLAY, Kustomization
from kubeferry.tasks.core.plan.export.objects import Export, Findings, Secrets
from kubeferry.tasks.core.plan.export.page import page
from kubeferry.tasks.core.plan.export.secrets import SecretStore
from kubeferry.tasks.core.plan.export.sops import Recipient, encrypted
from kubeferry.tasks.core.plan.export.yaml_files import dump
from kubeferry.tasks.plan.offline import Planned
from kubeferry.tasks.plan.outside import OutsideObjects, leave_elsewhere, leave_for_kustomize
from kubeferry.tasks.ports.archive.encryption import Sealer, recipients
from kubeferry.tasks.ports.local import clock, progress
from kubeferry.tasks.ports.local.out_folder import check, drafted
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import BaseModel

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.models.options_export import ExportOptions
    from kubeferry.tasks.core.plan.export.objects import Exported
    from kubeferry.tasks.plan.state import Plan, Source
    from kubeferry.tasks.ports.local.out_folder import Draft

DATA_KEY = 32
"""Bytes of a key of AES-256."""

README = "README.md"

M = TypeVar("M", bound="BaseModel")


@dataclass
class Written:
    """What was written, and what is not as it was."""

    out: str
    findings: Findings
    counts: dict[str, int] = field(default_factory=dict)
    files: int = 0
    bytes: int = 0

    def count(self, each: Exported) -> None:
        """Count one object."""
        self.counts[each.ref.type] = self.counts.get(each.ref.type, 0) + 1


def check_out(options: ExportOptions) -> None:
    """Refuse a folder that must not be written to, before anything is read. Raises UsageError."""
    check(Path(options.out).expanduser().absolute(), force=options.force)


@step("write {options.out}")
async def write(source: Source, plan: Plan, options: ExportOptions) -> Written:
    """Write all objects; the folder has the whole export, or nothing of it.

    Raises:
        UsageError: the folder must not be written to, or a recipient cannot be read.
        PermanentError: the plan has objects that no file can express.
    """
    return await in_thread(written, source, plan, options)


def written(source: Source, plan: Plan, options: ExportOptions) -> Written:
    """Write all objects, without Prefect. Raises as `write`."""
    if plan.impossible:
        raise PermanentError("; ".join(plan.impossible))
    releases = Releases()
    leave_elsewhere(plan)
    if options.format is ExportFormat.KUSTOMIZE:
        leave_for_kustomize(plan)
    planned, out = Planned(source, plan), Path(options.out).expanduser().absolute()
    skipped = _skipped(options, releases)
    export = Export(planned.parts, partial(_body, planned, plan), _secrets(options), options.format, skipped)
    done = Written(str(out), export.findings)
    try:
        with drafted(out, force=options.force) as draft:
            chart = _Chart(draft, options, export, done, releases) if options.format is ExportFormat.HELM else None
            if chart:
                chart.write()
            else:
                _Writer(draft, options, done, len(plan.items)).write(export)
            done.counts = dict(sorted(done.counts.items()))
            text = page(planned.parts, options, export.findings, done.counts)
            draft.write(README, (chart.named(text) if chart else text).encode())
            done.files, done.bytes = len(draft.digests), draft.bytes
    except OSError as error:
        raise UsageError(f"--out {options.out}: {error.strerror or error}") from error
    return done


def _body(planned: Planned, plan: Plan, ref: Ref) -> Object:
    """Return an object with all that a restore writes apart from it, as far as files can have it: not a status."""
    obj, finalizers = planned.whole(ref), plan.items[ref].finalizers
    if not finalizers:
        return obj
    meta = obj["metadata"]
    return obj | {"metadata": meta | {"finalizers": [*meta.get("finalizers", []), *finalizers]}}


def _skipped(options: ExportOptions, releases: Releases) -> Callable[[Object], bool]:
    """Return what is not exported: in a chart, what belongs to Helm's own releases."""
    return releases.takes if options.format is ExportFormat.HELM else lambda _: False


class _Writer:
    def __init__(self, draft: Draft, options: ExportOptions, done: Written, total: int) -> None:
        self.draft, self.options, self.done, self.total = draft, options, done, total
        self.private = options.secrets is SecretMode.INCLUDE

    def write(self, export: Export) -> None:
        kustomization = Kustomization() if self.options.format is ExportFormat.KUSTOMIZE else None
        title = f"write {self.options.what}"
        for number, each in enumerate(export, start=1):
            self.done.count(each)
            for path, text in _files(each, kustomization):
                self.draft.write(path, text.encode(), private=self.private and each.ref.kind == "Secret")
            progress.step(title, number, self.total)
        if kustomization:
            self.draft.write(f"{BASE}/kustomization.yaml", kustomization.base().encode())
            self.draft.write(f"{OVERLAY}/kustomization.yaml", kustomization.overlay().encode())


class _Chart:
    """Writes a chart: its objects one by one, then the files that are about all of them."""

    def __init__(self, draft: Draft, options: ExportOptions, export: Export, done: Written, releases: Releases) -> None:
        (release,) = {ref.namespace for ref in export.parts.items if ref.namespace} or {""}
        name = chart_name(next(iter(export.parts.namespaces), options.what))
        items = export.parts.items
        not_ready = {ref: part.not_ready for ref, part in items.items() if part.not_ready}
        needs = export.parts.order.needs
        hooks = turns(items, needs, export.body, release)
        self.namespace = next(iter(export.parts.namespaces), "")
        self.chart = Chart(
            name,
            release,
            items,
            options.secrets,
            export.confidential(),
            never_ready=never_ready(not_ready, items, export.body),
            turns=hooks,
            versions={ref: part.api_version for ref, part in items.items()},
            namespace=self.namespace,
            shape=options.shape,
        )
        self.chart.warnings += (
            Problem(what=str(each.source), why=f"is created before {each.target} by Helm, which it follows: {each.why}")
            for each in misplaced(needs, hooks)
        )
        self.draft, self.options, self.export, self.done = draft, options, export, done
        self.releases = releases

    def named(self, text: str) -> str:
        """Return a text with the source's namespace instead of the name that the plan gave to the release's."""
        return text.replace(self.chart.release, self.namespace) if self.chart.release else text

    def write(self) -> None:
        custom, private = list(self.export.parts.definitions), self.options.secrets is SecretMode.INCLUDE
        title, total, held = f"write {self.options.what}", len(self.export.parts.items), 0
        for number, each in enumerate(self.export, start=1):
            progress.step(title, number, total)
            files = list(self.chart.files(each, custom))
            for path, text in files:
                self.draft.write(path, text.encode())
                held += len(text) if path.startswith(f"{HELD}/") else 0
            if files:
                self.done.count(each)
        if held > MOST:
            raise PermanentError(
                f"a bundle of {held:,} bytes would be larger than etcd takes: select less, or use --shape templates"
            )
        self.export.findings.releases = self.releases.rows()
        for path, text in self.releases.values() if private else ():
            self.draft.write(path, text.encode(), private=True)
        for path, text in extras(self.chart, f"{'backup' if self.options.backup else 'namespace'} {self.options.what}"):
            self.draft.write(path, text.encode(), private=private and path == "values.yaml")
        self._settle()

    def _settle(self) -> None:
        """Say what the chart did about each finding, under the names of the source."""
        findings = self.export.findings
        findings.problems += self.chart.problems
        findings.warnings += self.chart.warnings
        findings.dynamic = [
            each.model_copy(update={"how": self.chart.dynamic.get((each.object, each.path, each.chain), each.how)})
            for each in findings.dynamic
        ]
        for name in ("problems", "warnings", "unowned", "dynamic", "secrets"):
            setattr(findings, name, [self._row(each) for each in getattr(findings, name)])

    def _row(self, row: M) -> M:
        return row.model_copy(update={name: self.named(value) for name, value in row if isinstance(value, str)})


def name_release(source: Source) -> None:
    """Have the plan give the one namespace of a chart a name by which its templates find it.

    Raises:
        UsageError: there are several namespaces.
    """
    outside = OutsideObjects(source.backup.manifest)
    members = [each.member for each in source.archived if not outside.is_elsewhere(each.member)]
    held = {each.namespace for each in members if each.namespace}
    chosen = sorted(held.intersection(source.options.namespaces) or held)
    if len(chosen) != 1:
        raise UsageError(f"a chart is of one namespace: choose it with --namespace ({', '.join(chosen)})")
    name = f"{RELEASE}{secrets.token_hex(16)}"
    source.options = source.options.model_copy(update={"map": {chosen[0]: name}})


def _files(each: Exported, kustomization: Kustomization | None) -> Iterator[tuple[str, str]]:
    if kustomization:
        return kustomization.files(each)
    return iter([(each.path, dump(each.body))])


def _secrets(options: ExportOptions) -> Secrets:
    kind, slash, name = options.secret_store.rpartition("/")
    store = SecretStore(name, kind if slash else "SecretStore") if options.secret_store else None
    if options.secrets is not SecretMode.AGE:
        return Secrets(options.secrets, store)
    sealers = {key: Sealer([key]) for key in recipients(options.encrypt_to)}

    def seal(obj: Object) -> Object:
        data_key = secrets.token_bytes(DATA_KEY)
        sealed = [Recipient(key, sealer.armored(data_key)) for key, sealer in sealers.items()]
        return encrypted(obj, data_key, sealed, clock.now(), secrets.token_bytes)

    return Secrets(options.secrets, store, seal)
