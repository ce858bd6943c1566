"""`kubeferry restore` and `kubeferry undo`: start the flow, print its result.

`kubeferry approve` answers a restore that waits for approval, through the Prefect API and without a cluster.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from kubeferry.flows.options.common import Format
from kubeferry.flows.options.from_model import takes
from kubeferry.flows.options.shared import OF_BACKUP, PLACE, SIGNED

if TYPE_CHECKING:
    from kubeferry.tasks.core.models.options import RestoreOptions, UndoOptions
    from kubeferry.tasks.ports.prefect.approvals import Answered


EPILOG = """\
Examples:
  kubeferry restore shop-20260102-030405 --map shop=shop2
  kubeferry restore before-upgrade --existing update --context production
  kubeferry restore before-upgrade --include configmaps --include secrets --existing skip
  kubeferry restore before-upgrade --existing update --existing secrets=skip --existing jobs.batch=recreate
  kubeferry restore before-upgrade --namespace shop --include-name deployments/web --map shop=shop2
  kubeferry restore before-upgrade --no-wait -o json
  kubeferry restore before-upgrade --map shop=test --modify smaller.yaml
  kubeferry restore --from-bundle shop/web --bundle own --context production
  kubeferry restore --resume before-upgrade-restore-20260102-030405
  kubeferry restore before-upgrade --existing update --approve  # and from anywhere: kubeferry approve RESTORE
"""


@takes(
    "restore",
    "backup from_bundle rename existing owned status finalizers modify no_rewrite rewrite_also rewrite_rules absent",
    "name resume approve approve_seconds",
    "at_rest keep_encrypted allow_plain allow_pruned allow_source subjects on_failure no_rollback "
    "rollback_on_failure bundle no_bundle wait wait_seconds",
    f"{OF_BACKUP} {PLACE} identity {SIGNED} output debug",
    model="options.RestoreOptions",
)
def restore(asked: RestoreOptions, *, output: Format) -> None:
    """Restore a backup of Kubeferry or Velero, under the same names or others, on the same cluster or another.

    What the target lacks is reported before anything is written.
    """
    from kubeferry.flows.console.results import finish
    from kubeferry.flows.console.run import run_and_finish

    run_and_finish("restore", asked, output, finish, at=asked)


UNDO_EPILOG = """\
Examples:
  kubeferry list --restores
  kubeferry undo before-upgrade-restore-20260102-030405 --dry-run
  kubeferry undo before-upgrade-restore-20260102-030405 --context production
  kubeferry undo nightly-restore-20260102-030405 --yes --privileged -o json
"""


@takes(
    "undo",
    "restore dry_run yes expect privileged force allow_plain force_finalizers wait_seconds",
    f"{PLACE} identity {SIGNED} output debug",
    model="options.UndoOptions",
)
def undo(asked: UndoOptions, *, yes: bool, output: Format) -> None:
    """Undo a restore: delete what it created, give what it changed its previous content, in reverse order.

    The restore may be complete, have failed, or have been killed.
    Only what proves by itself that the restore wrote it is touched, and nothing that somebody changed since.
    It has to be the cluster of the restore: name it with --context, if it is not that of the current context.
    """
    from kubeferry.flows.console.confirm import Removal, agreed
    from kubeferry.flows.console.run import run_and_finish
    from kubeferry.flows.console.undo_table import finish, question, shown
    from kubeferry.tasks.restore.back.undo import look

    # Who is asked sees what gives rights among the rest, and says yes to it; --yes alone does not.
    whole = asked.model_copy(update={"privileged": True})
    removal = Removal(
        "undo", "undone", lambda it: look(whole if not (it.dry_run or yes) else it), question, shown, finish
    )
    agreed_to = agreed(removal, asked, output, yes=yes)
    if agreed_to.expect != asked.expect:
        agreed_to = agreed_to.model_copy(update={"privileged": True})
    run_and_finish("undo", agreed_to, output, finish, at=asked)


APPROVE_EPILOG = """\
Examples:
  kubeferry approve before-upgrade-restore-20260102-030405
  kubeferry approve before-upgrade-restore-20260102-030405 --refuse 'not before Monday'

PREFECT_API_URL=https://prefect.example.com/api kubeferry approve nightly-restore-20260102-030405
"""


@takes("approve", "restore refuse output debug")
def approve(restore: str, *, refuse: str | None, output: Format) -> None:
    """Approve a restore that waits for approval (restore --approve), or refuse it.

    Use the Prefect server of the restore: it is in the URL of the plan, which the restore printed.
    Returns when the restore has received the answer.
    """
    from kubeferry.flows.console.output import line, print_document
    from kubeferry.flows.console.terminal import showing_progress

    with showing_progress():
        done = _answer(restore, refuse)
    if output is Format.TABLE:
        line(f"restore {done.restore}: {done.decision}, {done.run}")
    else:
        print_document(asdict(done), output)


def _answer(restore: str, refuse: str | None) -> Answered:
    import asyncio

    from kubeferry.flows.console.run import prepare

    prepare()
    from kubeferry.tasks.ports.prefect.approvals import answer

    # An empty reason refuses too: a variable that is not set must not approve.
    return asyncio.run(answer(restore, "approve" if refuse is None else "refuse", refuse or ""))
