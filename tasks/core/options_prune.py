"""What a person can ask of the flow `prune`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from tasks.core.duration import OPTIONAL, Span
from tasks.core.options import Place
from tasks.core.retention import PERIODS, Policy

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
