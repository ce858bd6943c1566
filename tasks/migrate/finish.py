"""The end of a migration: its result, and the table of its namespaces as a Prefect artifact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import KubeferryError
from kubeferry.tasks.core.formats.migration import SHARED, End, counts_of, phase_of
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.models.results import MigrateResult
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.report import report_namespaces

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from kubeferry.tasks.migrate.state import Migrating


def lost(migrating: Migrating, namespace: str, error: Exception, started: datetime) -> End:
    """Return the end of a part that raised: the one in the error, if there is one."""
    known = error.result if isinstance(error, KubeferryError) else None
    if isinstance(known, End):
        return known
    text = str(error) if isinstance(error, KubeferryError) else f"unexpected {type(error).__name__}: {error}"
    into = "" if namespace == SHARED else migrating.source.namespaces[namespace]
    seconds = (clock.now() - started).total_seconds()
    return End(namespace=namespace, into=into, phase=Phase.FAILED, error=text, seconds=round(seconds, 3))


def migrated(migrating: Migrating, ends: Iterable[End], started: datetime) -> MigrateResult:
    """Return the result; namespaces that do not exist count as failed."""
    absent = [
        End(namespace=namespace, into=namespace, phase=Phase.FAILED, error=why)
        for namespace, why in migrating.source.absent.items()
    ]
    listed = sorted([*ends, *absent], key=lambda end: (end.namespace != SHARED, end.namespace))
    return MigrateResult(
        name=migrating.name,
        phase=phase_of(listed),
        store=migrating.backup.store.url,
        started=started,
        completed=clock.now(),
        counts=counts_of(listed),
        backup=migrating.source.backup,
        from_cluster=migrating.source.cluster,
        to_cluster=migrating.target().name,
        namespaces=listed,
    )


async def report_migrated(result: MigrateResult) -> None:
    """Create the table of namespaces as an artifact."""
    await report_namespaces(result, "migrate", f"migration {result.name}", lambda end: (end.title, end.phase.value))
