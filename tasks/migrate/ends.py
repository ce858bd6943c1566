"""The end of one namespace of a migration or of a populate, from the result of its restore."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.migration import End
from kubeferry.tasks.core.formats.records import Phase

if TYPE_CHECKING:
    from kubeferry.tasks.core.models.results import RestoreResult


def end_of(namespace: str, into: str, result: RestoreResult) -> End:
    """Return the end of one namespace."""
    whole = result.phase is not Phase.FAILED
    return End(
        namespace=namespace,
        into=into,
        phase=result.phase,
        restore=result.name if whole or sum(result.actions.values()) > 0 else "",
        objects=result.objects if whole else 0,
        counts=result.counts if whole else {},
        actions=result.actions,
        problems=result.problems,
        warnings=result.warnings,
        losses=result.losses,
        error=result.error,
        seconds=round(result.seconds, 3),
    )
