"""`kubeferry delete`: show what would be deleted, ask, start the flow, print its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.flows.options.from_model import takes

if TYPE_CHECKING:
    from kubeferry.flows.options.common import Format
    from kubeferry.tasks.core.models.options import DeleteOptions
    from kubeferry.tasks.core.models.results import DeleteResult

EPILOG = """\
Examples:
  kubectl get bundles --all-namespaces
  kubeferry delete before-upgrade-restore-20260102-030405 -n shop --dry-run
  kubeferry delete before-upgrade-restore-20260102-030405 -n shop
  kubeferry delete --selector app=canary -n shop -n billing --yes -o json
"""


@takes(
    "delete",
    "bundle namespace selector dry_run yes expect force_finalizers wait_seconds context kubeconfig output debug",
    model="options.DeleteOptions",
)
def delete(asked: DeleteOptions, *, yes: bool, output: Format) -> None:
    """Delete what a restore created, by its bundle, or all objects with some labels, in reverse order and with waits.

    What existed before the restore is not touched.
    What is not deleted in time is reported with its finalizers, with exit code 3.
    """
    from kubeferry.flows.console.confirm import Removal, agreed
    from kubeferry.flows.console.delete_table import finish, shown
    from kubeferry.flows.console.run import run_and_finish

    removal = Removal("delete", "deleted", _looked, _question, shown, finish)
    asked = agreed(removal, asked, output, yes=yes)
    run_and_finish("delete", asked, output, finish, at=asked)


def _looked(asked: DeleteOptions) -> DeleteResult:
    from kubeferry.tasks.delete.execute import found
    from kubeferry.tasks.delete.state import Deleting
    from kubeferry.tasks.ports.local import clock

    return found(Deleting(asked.model_copy(update={"dry_run": True})), clock.now())


def _question(seen: DeleteResult) -> str:
    return f"Delete {seen.objects} objects?" if seen.members or seen.bundle else ""
