"""`kubeferry doctor`: check what the other commands need. It runs no flow, since Prefect may be what fails.

`--rules` checks nothing: it prints the ClusterRoles for the types that a cluster serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from kubeferry.flows.options.common import Format
from kubeferry.flows.options.from_model import takes
from kubeferry.flows.options.shared import PLACE

if TYPE_CHECKING:
    from kubeferry.tasks.core.models.options_maintenance import DoctorOptions

EPILOG = """\
Examples:
  kubeferry doctor
  kubeferry doctor shop billing --context production
  kubeferry doctor --store 's3://backups/team?region=eu-central-1' -o json
  kubeferry doctor --rules --context production | kubectl --context production apply -f -
"""

WIDTH = 120
"""Longest line of the YAML."""


@takes("doctor", f"namespaces wait_seconds rules {PLACE} output debug", model="options_maintenance.DoctorOptions")
def doctor(asked: DoctorOptions, *, rules: bool, output: Format) -> None:
    """Check cluster, rights, store, clocks, Prefect server, worker, deployments, schedules, versions; say what to do.

    Changes nothing, and leaves nothing in the store.
    Exits 1 when backups or restores cannot work, 3 when something needs attention.
    """
    if rules:
        _print_rules(asked, output)
        return
    from kubeferry.flows.console.output import print_document, table
    from kubeferry.flows.console.terminal import showing_progress
    from kubeferry.tasks.core.ops.health import exit_code, worst
    from kubeferry.tasks.doctor.checks import examine

    with showing_progress():
        findings = examine(asked)
    if output is Format.TABLE:
        rows = [[each.check, each.level.value, each.found, each.todo] for each in findings]
        table(["CHECK", "RESULT", "FOUND", "WHAT TO DO"], rows)
    else:
        checks = [each.document() for each in findings]
        print_document({"level": worst(findings).value, "checks": checks}, output)
    raise typer.Exit(exit_code(findings))


def _print_rules(asked: DoctorOptions, output: Format) -> None:
    """Print the ClusterRoles, a YAML document each; exit 3 if a part of the API does not answer and is missing."""
    from kubeferry.flows.console.output import print_document
    from kubeferry.tasks.core.errors import UsageError
    from kubeferry.tasks.core.jsondoc.printable import as_yaml
    from kubeferry.tasks.doctor.cluster import roles

    if asked.namespaces:
        raise UsageError("--rules are for all namespaces: name none; a RoleBinding then grants them in one namespace")
    found, problems = roles(asked)
    if output is Format.JSON:
        print_document({"apiVersion": "v1", "kind": "List", "items": found}, output)
    else:
        typer.echo("---\n".join(as_yaml(each, width=WIDTH) for each in found), nl=False)
    for group, why in sorted(problems.items()):
        typer.echo(f"kubeferry: no rules for {group}: {why}", err=True)
    if problems:
        raise typer.Exit(3)
