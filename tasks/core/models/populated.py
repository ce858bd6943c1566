"""What the flow `populate` answers."""

from __future__ import annotations

from pydantic import Field

from kubeferry.tasks.core.formats.migration import End
from kubeferry.tasks.core.models.results import Result


class PopulateResult(Result):
    """One run: how it went with each namespace. The same command again does what is missing."""

    backup: str
    template: str
    cluster: str
    namespaces: list[End]
    earlier: list[str] = Field([])
    """Namespaces that an earlier run of the same name had made: nothing was done with them now."""

    @property
    def phases(self) -> dict[str, int]:
        """Return how many namespaces ended how."""
        ended = [each.phase.value for each in self.namespaces]
        return {phase: ended.count(phase) for phase in ("Completed", "Partial", "Failed") if phase in ended}
