"""`kubeferry migrate`: start the flow, print the outcome of each namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.flows.options.from_model import takes
from kubeferry.flows.options.shared import KINDS, MANNER, OF_CLUSTER, SIGNED

if TYPE_CHECKING:
    from kubeferry.flows.options.common import Format
    from kubeferry.tasks.core.models.options_migration import MigrateOptions

EPILOG = """\
Examples:
  kubeferry migrate shop billing --from-context old --to-context new
  kubeferry migrate --namespace-selector team=shop --from-context old --to-context new --map shop=shop-new
  kubeferry migrate --all-namespaces --exclude-namespace 'test-*' --from-context old --to-context new -o json
  kubeferry migrate --resume migrate-shop-20260102-030405
  kubeferry migrate --all-namespaces --from-context old --to-context new --fan-out deployment
"""


@takes(
    "migrate",
    "namespaces from_context to_context rename name resume into_existing side_by_side fan_out deployment",
    f"{MANNER} {OF_CLUSTER} {KINDS} kubeconfig store identity {SIGNED} output debug",
    model="options_migration.MigrateOptions",
)
def migrate(asked: MigrateOptions, *, output: Format) -> None:
    """Migrate namespaces to another cluster: one backup of them all, then a restore of each, side by side.

    A namespace that fails is rolled back and never stops the others; --resume does what is missing.
    """
    from kubeferry.flows.console.migrate_table import finish
    from kubeferry.flows.console.run import run_and_finish
    from kubeferry.tasks.core.models.options import Where

    # A resumed migration has its clusters on record.
    target = Where(context=asked.to_context, kubeconfig=asked.kubeconfig)
    run_and_finish("migrate", asked, output, finish, at=target, reach=not asked.resume)
