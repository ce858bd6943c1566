"""Which backups of a store stay and which are removed: by age, count, grandfather-father-son, and expiration.

The terms are those of restic (doc/060_forget.rst): each rule looks at the backups of one series, newest first;
`keep_daily` 7 keeps the last one of each of the 7 latest days that have one, and as long as there are fewer, the oldest
backup as well; a backup stays if any rule keeps it. Age is counted from the newest backup of the series that is not in
the future. In addition, a rule of periods prefers a Completed backup to others, a backup with an expiration stays until
then and is removed after, and the last good one of a series always stays. Periods are those of UTC.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.models.options_maintenance import PERIODS, RetentionPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime


LAST_GOOD = "the last good one of its series"
NO_RULE = "no rule keeps it"
NO_RULES = "no rule is set, and it has no expiration"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A backup that may be removed."""

    name: str
    series: tuple[str, ...]
    """What was asked for: cluster, namespaces, selection, deployment (`series_of`)."""
    started: datetime
    good: bool
    """It is Completed and has all of its files."""
    expires: datetime | None = None
    created: datetime | None = None
    """The start in the manifest, which has microseconds: `started` has seconds, as Velero writes it."""

    @property
    def age(self) -> tuple[datetime, datetime, str]:
        """What backups are sorted by, the oldest first: two may have started in the same second."""
        return (self.started, self.created or self.started, self.name)


@dataclass(frozen=True, slots=True)
class Fate:
    """Whether a backup stays, and why."""

    keep: bool
    why: str


def fates(candidates: Iterable[Candidate], policy: RetentionPolicy, now: datetime) -> dict[str, Fate]:
    """Return the fate of each backup, by name."""
    series = _by_series(candidates)
    return {name: fate for some in series for name, fate in _of_series(some, policy, now).items()}


def last_good(candidates: Iterable[Candidate], found: Mapping[str, Fate]) -> list[str]:
    """Return the last good backup of each series from which something goes: the others go because it is there."""
    going = (some for some in _by_series(candidates) if not all(found[each.name].keep for each in some))
    return [good.name for some in going if (good := next((each for each in some if each.good), None))]


def _by_series(candidates: Iterable[Candidate]) -> list[list[Candidate]]:
    """Return the backups of each series, the newest first."""
    series: dict[tuple[str, ...], list[Candidate]] = defaultdict(list)
    for each in sorted(candidates, key=lambda each: each.age, reverse=True):
        series[each.series].append(each)
    return list(series.values())


def _of_series(newest: Sequence[Candidate], policy: RetentionPolicy, now: datetime) -> dict[str, Fate]:
    expired = {each.name for each in newest if each.expires and each.expires <= now}
    reasons: dict[str, list[str]] = {each.name: [] for each in newest}
    for name, why in _kept([each for each in newest if each.name not in expired], policy, now):
        reasons[name].append(why)
    found = {}
    for each in newest:
        if each.name in expired:
            found[each.name] = Fate(keep=False, why=f"expired {each.expires:%Y-%m-%d %H:%M} UTC")
        elif why := ", ".join(reasons[each.name]):
            found[each.name] = Fate(keep=True, why=why)
        else:
            found[each.name] = Fate(keep=not policy.given, why=NO_RULE if policy.given else NO_RULES)
    last = next((each.name for each in newest if each.good), None)
    if last and not found[last].keep:
        found[last] = Fate(keep=True, why=f"{LAST_GOOD} ({found[last].why})")
    return found


def _kept(newest: Sequence[Candidate], policy: RetentionPolicy, now: datetime) -> Iterable[tuple[str, str]]:
    """Yield the backups to keep, with the rule; one may occur several times."""
    yield from ((each.name, f"expires {each.expires:%Y-%m-%d %H:%M} UTC") for each in newest if each.expires)
    if policy.within and newest:
        since = policy.within.before(max((each.started for each in newest if each.started < now), default=now))
        yield from ((each.name, "within") for each in newest if each.started > since)
    yield from ((each.name, f"last {n}") for n, each in enumerate(newest[: policy.last], start=1))
    for rule, count in policy.periods:
        chosen = _periods(newest, rule, count)
        yield from ((name, f"{rule} {n}") for n, name in enumerate(chosen, start=1))
        if newest and len(chosen) < count and newest[-1].name not in chosen:
            yield newest[-1].name, f"{rule}: the oldest"


def _periods(newest: Sequence[Candidate], rule: str, count: int) -> list[str]:
    """Return one backup for each of the latest `count` periods: the newest good one, else the newest."""
    chosen: dict[tuple[int, ...], Candidate] = {}
    for each in newest:
        period = PERIODS[rule](each.started)
        if period not in chosen and len(chosen) == count:
            break
        if period not in chosen or (each.good and not chosen[period].good):
            chosen[period] = each
    return [each.name for each in chosen.values()]
