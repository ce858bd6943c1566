"""`kubeferry populate`: ask, start the flow, print how it went with each namespace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kubeferry.flows.commands import restore as like  # noqa: TC001 - Typer reads the annotations when the program runs
from kubeferry.flows.options.common import Context, Debug, Format, Identity, Kubeconfig, Modify, Output, StoreUrl

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kubeferry.tasks.core.models.results import PopulateResult

EPILOG = """\
[bold]Examples[/bold]

kubeferry populate shop-template --into tenant-1,tenant-2

kubeferry populate shop-template --into-file tenants.csv --name tenants

kubeferry populate shop-template --into-file tenants.yaml --modify resource-modifiers.yaml -o json

A file tenants.csv: name,replicas.web,hosts.shop.example.com,labels.tenant
"""

Backup = Annotated[str, typer.Argument(metavar="BACKUP", help="Name of the backup.", show_default=False)]
Names = Annotated[
    list[str] | None,
    typer.Option("--into", metavar="NS[,NS…]", show_default=False, help="Namespaces to make; may be repeated."),
]
File = Annotated[
    Path | None,
    typer.Option(
        "--into-file",
        metavar="FILE",
        dir_okay=False,
        show_default=False,
        help="Namespaces to make and their parameters, CSV or YAML: name, labels, annotations, replicas, hosts, rules.",
    ),
]
Template = Annotated[
    str,
    typer.Option(
        metavar="NAMESPACE",
        show_default=False,
        help="Namespace of the backup to take, where it holds more than one.",
    ),
]
Name = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        show_default=False,
        help="Name of this run, else BACKUP-populate: the same again does only what is missing.",
    ),
]
SideBySide = Annotated[int, typer.Option(min=1, max=64, metavar="N", help="How many namespaces are worked on at once.")]


def populate(  # noqa: PLR0913 - a parameter is an option
    backup: Backup,
    *,
    into: Names = None,
    into_file: File = None,
    template: Template = "",
    modify: Modify = None,
    name: Name = "",
    side_by_side: SideBySide = 6,
    existing: like.IfExisting = None,
    owned: like.IfOwned = "rebuild",
    no_rewrite: like.NoRewrite = None,
    absent: like.IfAbsent = None,
    rollback: like.Rollback = True,
    bundle: like.Bundle = True,
    wait: like.Wait = True,
    wait_seconds: like.WaitSeconds = 300,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    store: StoreUrl = "",
    identity: Identity = None,
    output: Output = Format.TABLE,
    debug: Debug = False,  # noqa: ARG001 - its callback has taken it
) -> None:
    """Make many namespaces of one backup, each with labels, replicas, hosts and patches of its own.

    A namespace that fails is taken back and never stops the others; the same command again does what is missing.
    """
    from kubeferry.flows.console.migrate_table import finish_populate
    from kubeferry.flows.console.run import run
    from kubeferry.flows.options import files
    from kubeferry.flows.options.parsing import modes, options, pairs
    from kubeferry.tasks.core.errors import UsageError
    from kubeferry.tasks.core.models.options_migration import PopulateOptions

    if not (into or into_file):
        raise UsageError("say which namespaces to make, with --into or --into-file")
    asked = options(
        PopulateOptions,
        backup=backup,
        template=template or None,
        into=files.into(into or [], into_file),
        modify=files.modifications(modify or []),
        name=name,
        side_by_side=side_by_side,
        **modes(existing or []),
        owned=owned,
        no_rewrite=no_rewrite or [],
        absent=pairs(absent or [], "--absent", "CLASS=POLICY, as uid=drop"),
        rollback=rollback,
        bundle=bundle,
        wait=wait,
        wait_seconds=wait_seconds,
        context=context,
        kubeconfig=kubeconfig,
        store=store,
        identities=list(map(str, identity or [])),
    )

    def start() -> Coroutine[Any, Any, PopulateResult]:
        from kubeferry.flows.populate import populate as flow

        return flow(asked)

    finish_populate(run(start, asked), output)
