"""What the flow `prune` answers."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from kubeferry.tasks.core.formats.records import Phase, Problem


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)


class Judged(_Row):
    """One backup of the store, or what is kept of one restore, and what becomes of it."""

    name: str
    what: str = "backup"
    """`backup`, `leftover` (of a backup that was half deleted or never finished) or `restore`."""
    series: str = ""
    """The namespaces, and what tells this series from others of them."""
    phase: str = ""
    tool: str = ""
    started: datetime | None = None
    keep: bool
    why: str
    bytes: int = 0
    removed: bool = False
    """It is gone; never in a dry run."""
    stamp: str = ""
    """By which it is known again: another one under its name is not touched."""


class PruneResult(_Row):
    """What of a store stays and what went, or would go in a dry run."""

    store: str
    started: datetime
    completed: datetime
    phase: Phase
    dry_run: bool
    digest: str
    """Of what goes: `expect` of another run removes exactly that or nothing."""
    judged: list[Judged] = []
    left: list[Problem] = []
    """What was to go and did not, since somebody else is at work there: not this run's business."""
    problems: list[Problem] = []
    """What could not be read or removed."""

    @property
    def going(self) -> list[Judged]:
        """Return what goes."""
        return [each for each in self.judged if not each.keep]

    @property
    def removed(self) -> list[Judged]:
        """Return what went."""
        return [each for each in self.judged if each.removed]

    @property
    def seconds(self) -> float:
        """Return how long it took."""
        return (self.completed - self.started).total_seconds()
