"""The six objects of one restore, as its flow holds them; each step is given the ones that it uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.ports.cluster.cancellation import Cancellation
from kubeferry.tasks.preflight.lookup import Lookups
from kubeferry.tasks.preflight.target import Target
from kubeferry.tasks.restore.outcome import Outcome
from kubeferry.tasks.restore.transaction import Transaction

if TYPE_CHECKING:
    from kubeferry.tasks.plan.state import Plan, Source
    from kubeferry.tasks.ports.cluster.cached import CachedTarget
    from kubeferry.tasks.ports.records.restores import StoredRestore


@dataclass(frozen=True)
class Restore:
    """One restore under way."""

    source: Source
    plan: Plan
    target: Target
    lookups: Lookups
    transaction: Transaction
    outcome: Outcome
    cancellation: Cancellation


def prepared(
    source: Source, plan: Plan, resumed: StoredRestore | None = None, cached: CachedTarget | None = None
) -> Restore:
    """Return a restore of `source` that has asked its target nothing yet."""
    return Restore(
        source,
        plan,
        Target(source.options, cached),
        Lookups(),
        Transaction(plan, resumed),
        Outcome(plan),
        Cancellation(f"restore {source.name}"),
    )


def close(restore: Restore) -> bool:
    """Close the journal and the spools, let the leases go; the folder is deleted by who made it.

    Returns:
        Whether it was stopped midway, and what it did stays.
    """
    restore.cancellation.set()
    stopped = restore.transaction.close()
    restore.source.close()
    restore.plan.contents.close()
    return stopped
