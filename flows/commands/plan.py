"""`kubeferry plan`: show what a restore would do, from the archive alone: no cluster, no Prefect, nothing written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.flows.options.common import Form
from kubeferry.flows.options.from_model import takes
from kubeferry.flows.options.shared import OF_BACKUP

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kubeferry.tasks.core.models.options import RestoreOptions
    from kubeferry.tasks.plan.offline import Planned

EPILOG = """\
Examples:
  kubeferry plan before-upgrade --map shop=shop2
  kubeferry plan before-upgrade -o html --file plan.html
  kubeferry plan before-upgrade --include secrets -o json
  kubeferry plan before-upgrade --namespace shop --include-name 'deployments/web*' --only
  kubeferry plan before-upgrade --kubectl --file restore.sh && bash restore.sh CONTEXT
"""


@takes(
    "plan",
    "backup rename owned status finalizers modify no_rewrite rewrite_also rewrite_rules at_rest absent",
    "allow_plain allow_source subjects kubectl",
    f"{OF_BACKUP} context kubeconfig store identity verify_with output file debug",
    model="options.RestoreOptions",
)
def plan(asked: RestoreOptions, *, kubectl: bool, output: Form, file: Path | None) -> None:
    """Show what a restore would do, offline: levels, what waits for what and why, and what is rewritten.

    With --context also what that cluster has against it; nothing is written there.
    """
    _print(asked, output, file, kubectl=kubectl)


def _print(asked: RestoreOptions, output: Form, file: Path | None, *, kubectl: bool) -> None:
    from kubeferry.flows.console.terminal import showing_progress
    from kubeferry.tasks.plan.offline import Planned, planned_restore

    with showing_progress(), planned_restore(asked) as (source, found):
        if asked.context:
            from kubeferry.tasks.preflight.run import faults_of

            found.impossible = [each.text for each in faults_of(source, found)]
        made = Planned(source, found)
        if kubectl:
            from kubeferry.tasks.core.plan.kubectl.script import script

            _write(script(made.parts, made.body, made.whole), file)
        else:
            _write(_text(made, output), file)


def _text(made: Planned, output: Form) -> Iterable[str]:
    from kubeferry.flows.console import plan_table
    from kubeferry.tasks.core.jsondoc.printable import as_yaml, json_pieces
    from kubeferry.tasks.core.plan.document import as_data, document

    found = document(made.parts)
    if output is Form.TABLE:
        return plan_table.lines(found)
    if output is Form.HTML:
        from kubeferry.flows.console.plan_page import page

        return [page(found)]
    if output is Form.YAML:
        return [as_yaml(found.model_dump(mode="json"))]
    return json_pieces(as_data(found))


def _write(text: Iterable[str], file: Path | None) -> None:
    """Write piece by piece; to a file whole or not at all, and with mode 0600, as it may hold Secrets."""
    if file is None:
        import sys

        for piece in text:
            sys.stdout.write(piece)
        return
    from kubeferry.tasks.core.errors import UsageError
    from kubeferry.tasks.ports.local.files import written

    try:
        with written(file.absolute()) as out:
            for piece in text:
                out.write(piece.encode())
    except OSError as error:
        raise UsageError(f"--file {file}: {error.strerror or error}") from error
