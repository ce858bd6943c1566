"""What a person can ask of the flow `prune`.

What a person can ask of a verification: which backups, and how closely.

What `kubeferry doctor` is asked to look at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from kubeferry.tasks.core.jsondoc.duration import OPTIONAL, Span
from kubeferry.tasks.core.models.options import NamespaceName, NoSecret, OptionalName, Place

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
    def policy(self) -> RetentionPolicy:
        """Return the rules."""
        within = Span.parse(self.keep_within) if self.keep_within else None
        counts = {rule: getattr(self, f"keep_{rule}") for rule in PERIODS}
        return RetentionPolicy(within, self.keep_last, tuple((rule, count) for rule, count in counts.items() if count))

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
class RetentionPolicy:
    """What is asked for; `periods` maps names of `PERIODS` to counts."""

    within: Span | None = None
    last: int = 0
    periods: tuple[tuple[str, int], ...] = ()

    @property
    def given(self) -> bool:
        """Return whether any rule is."""
        return bool(self.within or self.last or any(count for _, count in self.periods))


class VerifyOptions(BaseModel):
    """Which backups to prove; no cluster is needed."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)

    store: str = ""
    """file:///folder or s3://bucket/prefix?endpoint=...&region=...; empty: a folder of the user's data."""

    backup: OptionalName = ""
    """Name of the backup; empty: the newest ones."""

    newest: Annotated[int, Field(ge=1, le=1000)] = 3
    """How many of the newest backups, when none is named."""

    deep: bool = False
    """Also each object in the archive, one by one."""

    identities: list[NoSecret] = Field(default_factory=list)
    """Paths of files of secret keys that open encrypted backups: of age, or SSH; else their order is not seen."""


class DoctorOptions(Place):
    """A cluster, a store, and the namespaces whose backup or restore is meant."""

    namespaces: list[NamespaceName] = Field(default=[])
    """Namespaces; without any the rights for all of them are asked for."""

    seconds: Annotated[int, Field(ge=1, le=600)] = 30
    """Longest time of each check, in seconds."""
