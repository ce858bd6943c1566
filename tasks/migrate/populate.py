"""Create namespaces from a template: begin, resume or skip one of them, and the result of a whole run."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import BackupNotFoundError, KubeferryError, UsageError
from kubeferry.tasks.core.formats.journal import REVERTED
from kubeferry.tasks.core.formats.migration import End, counts_of, phase_of, restore_name
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.models.results import PopulateResult, RestoreResult
from kubeferry.tasks.migrate.ends import end_of
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.cluster.namespaces import there
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.records.restores import open_restore
from kubeferry.tasks.report import report_namespaces

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from kubeferry.tasks.core.models.options import RestoreOptions
    from kubeferry.tasks.core.models.options_migration import Into, PopulateOptions
    from kubeferry.tasks.plan.template import Template
    from kubeferry.tasks.ports.records.restores import StoredRestore


def template_of(options: PopulateOptions, template: Template) -> str:
    """Return the namespace of the backup that is the template.

    Raises:
        UsageError: the backup does not contain it, or contains several and none was named.
    """
    held = template.namespaces
    if options.template in held:
        return str(options.template)
    listed = ", ".join(held) or "none"
    if options.template:
        raise UsageError(f"{template} holds no namespace {options.template}; it holds {listed}")
    if len(held) != 1:
        raise UsageError(f"{template} holds {len(held)} namespaces ({listed}): say which is the template")
    return held[0]


def begun(options: PopulateOptions, template: Template, namespace: str, into: Into) -> RestoreOptions | StoredRestore:
    """Return the options of a new or resumed restore; or the restore by which an earlier run created the namespace.

    Raises:
        UsageError: the earlier run created it with other parameters.
    """
    for attempt in count(1):
        name = restore_name(options.called, into.name, attempt)
        new = options.restore(into, namespace, name)
        try:
            stored = open_restore(template.backup.store, name)
        except BackupNotFoundError:
            return new
        if stored.state.end in REVERTED:
            continue
        same = stored.header.options.get("modify", {}) == new.modify.model_dump(mode="json", exclude_defaults=True)
        if not same or stored.header.backup != options.backup:
            text = f"restore {name} made it with other parameters"
            raise UsageError(f"{text}: kubeferry undo {name} first, or choose another --name")
        if stored.header.manifest != template.backup.proof(template.work):
            text = f"restore {name} made it of another backup than what {options.backup} is now"
            raise UsageError(f"{text}: kubeferry undo {name} first, or choose another --name")
        if stored.state.end not in ("Completed", "Partial"):
            return options.resume(name)
        if there(connect(options.context or None, options.kubeconfig or None), [into.name]):
            return stored
    raise AssertionError("unreachable: a name is free in the end")


def ended(namespace: str, into: str, stored: StoredRestore) -> End:
    """Return the end of a namespace that an earlier run created, from its journal."""
    did: Counter[str] = Counter(action for _, action in stored.state.done.values())
    counts: Counter[str] = Counter(ref.type for ref in stored.state.done)
    return End(
        namespace=namespace,
        into=into,
        phase=Phase(stored.state.end),
        restore=stored.header.name,
        objects=len(stored.state.done),
        counts=dict(counts),
        actions=dict(did),
    )


def failed_end(namespace: str, into: str, error: Exception, started: datetime) -> End:
    """Return the end of a namespace that failed: that of its restore, if it began."""
    if isinstance(error, KubeferryError) and isinstance(error.result, RestoreResult):
        return end_of(namespace, into, error.result)
    text = str(error) if isinstance(error, KubeferryError) else f"unexpected {type(error).__name__}: {error}"
    seconds = round((clock.now() - started).total_seconds(), 3)
    return End(namespace=namespace, into=into, phase=Phase.FAILED, error=text, seconds=seconds)


def populated(
    options: PopulateOptions,
    template: Template,
    namespace: str,
    ends: Iterable[End],
    earlier: list[str],
    started: datetime,
) -> PopulateResult:
    """Return the result of a run."""
    listed = sorted(ends, key=lambda end: end.into)
    return PopulateResult(
        name=options.called,
        phase=phase_of(listed),
        store=template.backup.store.url,
        started=started,
        completed=clock.now(),
        counts=counts_of(listed),
        backup=options.backup,
        template=namespace,
        cluster=connect(options.context or None, options.kubeconfig or None).name,
        namespaces=listed,
        earlier=sorted(earlier),
    )


async def report_populated(result: PopulateResult) -> None:
    """Create the table of namespaces as an artifact."""

    def row(end: End) -> tuple[str, str]:
        return end.into, "Completed earlier" if end.into in result.earlier else end.phase.value

    await report_namespaces(result, "populate", f"populate {result.name}", row)
