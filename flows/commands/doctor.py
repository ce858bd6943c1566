"""`kubeferry doctor`: look over what all others need. It runs no flow, since Prefect may be what is ill."""

from __future__ import annotations

from typing import Annotated

import typer

from kubeferry.flows.options import completion
from kubeferry.flows.options.common import Context, Debug, Format, Kubeconfig, Output, StoreUrl

EPILOG = """\
[bold]Examples[/bold]

kubeferry doctor

kubeferry doctor shop billing --context production

kubeferry doctor --store 's3://backups/team?region=eu-central-1' -o json
"""

Namespaces = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAMESPACE",
        autocompletion=completion.namespaces,
        show_default=False,
        help="Namespaces whose backup or restore is meant; else the rights for all of them are asked for.",
    ),
]
Seconds = Annotated[
    int, typer.Option("--wait-seconds", min=1, max=600, metavar="N", help="Longest time of each check, in seconds.")
]


def doctor(
    namespaces: Namespaces = None,
    *,
    wait_seconds: Seconds = 30,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    store: StoreUrl = "",
    output: Output = Format.TABLE,
    debug: Debug = False,  # noqa: ARG001 - its callback has taken it
) -> None:
    """Check cluster, rights, store, clocks, Prefect server, worker, deployments, schedules, versions; say what to do.

    Nothing is changed, and nothing stays in the store. Exits 1 when backups or restores cannot work as things are, 3
    when something should be seen to.
    """
    from kubeferry.flows.console.output import print_document, table
    from kubeferry.flows.console.terminal import told
    from kubeferry.flows.options.parsing import options
    from kubeferry.tasks.core.models.options_maintenance import DoctorOptions
    from kubeferry.tasks.core.ops.health import exit_code, worst
    from kubeferry.tasks.doctor.checks import examine

    asked = options(
        DoctorOptions,
        namespaces=namespaces or [],
        seconds=wait_seconds,
        context=context,
        kubeconfig=kubeconfig,
        store=store,
    )
    with told():
        findings = examine(asked)
    if output is Format.TABLE:
        rows = [[each.check, each.level.value, each.found, each.todo] for each in findings]
        table(["CHECK", "RESULT", "FOUND", "WHAT TO DO"], rows)
    else:
        checks = [each.document() for each in findings]
        print_document({"level": worst(findings).value, "checks": checks}, output)
    raise typer.Exit(exit_code(findings))
