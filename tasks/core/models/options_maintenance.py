"""What a person can ask of the flow `prune`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints

from kubeferry.tasks.core.jsondoc.duration import OPTIONAL, Span
from kubeferry.tasks.core.models.options import Place

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


Duration = Annotated[str, StringConstraints(pattern=OPTIONAL)]
Count = Annotated[int, Field(ge=0, le=100_000)]


class PruneOptions(Place):
    """Which backups of a store stay. All others of the same series go; without a rule only those that have expired.

    A series are the backups of the same namespaces of one cluster with the same selection; its last good one stays.
    No cluster is asked.
    """

    keep_within: Duration = ""
    """Keep all that are younger, for example `30d`, `12h`, `2w`, `6mo`, `1y`."""

    keep_last: Count = 0
    """Keep so many of the newest ones."""

    keep_hourly: Count = 0
    """Keep the last one of each hour, for so many hours that have one."""

    keep_daily: Count = 0
    """Keep the last one of each day, for so many days that have one."""

    keep_weekly: Count = 0
    """Keep the last one of each week, for so many weeks that have one."""

    keep_monthly: Count = 0
    """Keep the last one of each month, for so many months that have one."""

    keep_yearly: Count = 0
    """Keep the last one of each year, for so many years that have one."""

    restores_within: Duration = ""
    """Also remove what is kept of restores that ended longer ago: they cannot be undone then. Empty: keep all."""

    velero: bool = False
    """Look after the backups that Velero made, too; else they are left alone."""

    dry_run: bool = False
    """Only tell what would go."""

    expect: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")] = ""
    """The `digest` that a dry run answered: remove exactly what it told, and nothing when that is not the same now."""

    @property
    def policy(self) -> Policy:
        """Return the rules."""
        within = Span.parse(self.keep_within) if self.keep_within else None
        counts = {rule: getattr(self, f"keep_{rule}") for rule in PERIODS}
        return Policy(within, self.keep_last, tuple((rule, count) for rule, count in counts.items() if count))

    @property
    def restores(self) -> Span | None:
        """Return how long what is kept of restores stays, None for always."""
        return Span.parse(self.restores_within) if self.restores_within else None


PERIODS: dict[str, Callable[[datetime], tuple[int, ...]]] = {
    "hourly": lambda at: (at.year, at.month, at.day, at.hour),
    "daily": lambda at: (at.year, at.month, at.day),
    "weekly": lambda at: tuple(at.isocalendar()[:2]),
    "monthly": lambda at: (at.year, at.month),
    "yearly": lambda at: (at.year,),
}
"""By the name of a rule, what tells its periods apart; all in UTC, weeks by ISO 8601."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What is asked for; `periods` maps names of `PERIODS` to counts."""

    within: Span | None = None
    last: int = 0
    periods: tuple[tuple[str, int], ...] = ()

    @property
    def given(self) -> bool:
        """Return whether any rule is."""
        return bool(self.within or self.last or any(count for _, count in self.periods))
