"""The options of the flows prune and verify, and of `kubeferry doctor`, as pydantic models.

Prune and verify need no cluster, and prune without a rule removes expired backups only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints

from kubeferry.tasks.core.jsondoc.duration import OPTIONAL, Span
from kubeferry.tasks.core.models.forms import FormModel
from kubeferry.tasks.core.models.options import NamespaceName, OptionalName, Place
from kubeferry.tasks.core.models.secret_free import NoSecret

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


Duration = Annotated[str, StringConstraints(pattern=OPTIONAL)]
Count = Annotated[int, Field(ge=0, le=100_000)]


class PruneOptions(Place):
    """Which backups of a store stay. All others of the same series are removed; without a rule, only expired ones.

    A series consists of the backups of one cluster that were asked for alike, with the same selection and by the same
    deployment; its last good one is read back before others go, and stays. No cluster is contacted.
    """

    keep_within: Duration = ""
    """Keep all that are at most this much older than the newest, for example `30d`, `12h`, `2w`, `6mo`, `1y`."""

    keep_last: Count = 0
    """Keep this many of the newest ones."""

    keep_hourly: Count = 0
    """Keep the last one of each hour, for this many hours that have one."""

    keep_daily: Count = 0
    """Keep the last one of each day, for this many days that have one."""

    keep_weekly: Count = 0
    """Keep the last one of each week, for this many weeks that have one."""

    keep_monthly: Count = 0
    """Keep the last one of each month, for this many months that have one."""

    keep_yearly: Count = 0
    """Keep the last one of each year, for this many years that have one."""

    restores_within: Duration = ""
    """Also remove the records of restores that ended longer ago, which then cannot be undone. Empty: keep all."""

    velero: bool = False
    """Include the backups that Velero made; otherwise they are ignored."""

    dry_run: bool = False
    """Only show what would be removed."""

    expect: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")] = ""
    """The `digest` of a dry run: remove exactly what it showed, and nothing if that has changed since."""

    @property
    def policy(self) -> RetentionPolicy:
        """Return the rules."""
        within = Span.parse(self.keep_within) if self.keep_within else None
        counts = {rule: getattr(self, f"keep_{rule}") for rule in PERIODS}
        return RetentionPolicy(within, self.keep_last, tuple((rule, count) for rule, count in counts.items() if count))

    @property
    def restores(self) -> Span | None:
        """Return how long the records of restores stay, None for always."""
        return Span.parse(self.restores_within) if self.restores_within else None


PERIODS: dict[str, Callable[[datetime], tuple[int, ...]]] = {
    "hourly": lambda at: (at.year, at.month, at.day, at.hour),
    "daily": lambda at: (at.year, at.month, at.day),
    "weekly": lambda at: tuple(at.isocalendar()[:2]),
    "monthly": lambda at: (at.year, at.month),
    "yearly": lambda at: (at.year,),
}
"""Name of a rule → the format that identifies its periods; all in UTC, weeks by ISO 8601."""


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """The rules; `periods` maps names of `PERIODS` to counts."""

    within: Span | None = None
    last: int = 0
    periods: tuple[tuple[str, int], ...] = ()

    @property
    def given(self) -> bool:
        """Return whether there is any rule."""
        return bool(self.within or self.last or any(count for _, count in self.periods))


class VerifyOptions(FormModel):
    """Which backups to verify; no cluster is needed."""

    store: str = ""
    """file:///folder or s3://bucket/prefix?endpoint=...&region=...; empty: a folder in the user's data directory."""

    backup: OptionalName = ""
    """Name of the backup; empty: the newest ones."""

    newest: Annotated[int, Field(ge=1, le=1000)] = 3
    """How many of the newest backups, if none is named."""

    deep: bool = False
    """Also check each object in the archive."""

    identities: list[NoSecret] = Field(default_factory=list)
    """Paths of files with secret keys (age or SSH) for encrypted backups; without them, their order is not checked."""


class DoctorOptions(Place):
    """A cluster, a store, and the namespaces to back up or restore."""

    namespaces: list[NamespaceName] = Field(default=[])
    """Namespaces; without any, permissions for all of them are checked."""

    seconds: Annotated[int, Field(ge=1, le=600)] = 30
    """Longest time of each check, in seconds."""
