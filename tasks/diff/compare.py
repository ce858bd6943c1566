"""Compare a backup with a cluster, or with another backup, and return the differences; read only, without Prefect.

The backup's side is the plan of a restore: the objects that it would write, under the names that it would give them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.compare.report import CHANGES, DiffReport, reported_difference
from kubeferry.tasks.core.models.options import Place, RestoreOptions
from kubeferry.tasks.diff.backup import compared_with_backup
from kubeferry.tasks.diff.cluster import compared_with_cluster
from kubeferry.tasks.plan.offline import planned_restore
from kubeferry.tasks.ports.cluster.cancellation import Cancellation
from kubeferry.tasks.preflight.lookup import Lookups
from kubeferry.tasks.preflight.target import Target

if TYPE_CHECKING:
    from kubeferry.tasks.core.compare.diff import Compared
    from kubeferry.tasks.plan.state import Plan, Source


def compared(options: RestoreOptions, against: str = "", *, with_diff: bool = True) -> DiffReport:
    """Return in what a cluster, or the backup `against` of the same store, differs from a backup.

    Raises:
        BackupNotFoundError: no backup of that name.
        DamagedError: a file or an object is missing, changed, or cannot be read.
        UsageError: the options do not fit the backup.
        UnreachableError: the cluster does not answer.
    """
    with planned_restore(options) as (source, plan):
        if not against:
            target = Target(options)
            found = compared_with_cluster(source, plan, target, Lookups(), Cancellation("the comparison"))
            return _report(source, plan, found, f"cluster {target.cluster().name}", with_diff=with_diff)
        with planned_restore(_other(options, against)) as (other_source, other_plan):
            found = compared_with_backup(source, plan, other_source, other_plan)
            return _report(source, plan, found, f"backup {against}", with_diff=with_diff)


def _other(options: RestoreOptions, backup: str) -> RestoreOptions:
    """Return the options that take all of another backup, from the same place and with the same keys."""
    where = options.model_dump(include={*Place.model_fields, "identities", "allow_plain", "owned"})
    return RestoreOptions(backup=backup, **where)


def _report(source: Source, plan: Plan, found: Compared, against: str, *, with_diff: bool) -> DiffReport:
    backup = source.options.backup
    differences = sorted(found.differences, key=lambda each: each.ref)
    objects = [reported_difference(each, f"backup {backup}", against, with_diff=with_diff) for each in differences]
    counts = {change: sum(each.change == change for each in differences) for change in CHANGES}
    return DiffReport(
        backup=backup,
        store=source.backup.store.url,
        against=against,
        namespaces=plan.names(),
        same=not objects,
        counts={"same": found.same} | counts,
        objects=objects,
        problems=sorted(found.problems, key=lambda each: (each.what, each.why)),
    )
