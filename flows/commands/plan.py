"""`kubeferry plan`: what a restore would do, told from the archive alone: no cluster, no Prefect, nothing written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kubeferry.flows.commands import restore
from kubeferry.flows.options import selection  # noqa: TC001 - Typer reads the annotations when the program runs
from kubeferry.flows.options.common import PANEL, Debug, Form, Identity, Modify, StoreUrl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.models.options import RestoreOptions
    from kubeferry.tasks.plan.offline import Planned

EPILOG = """\
[bold]Examples[/bold]

kubeferry plan before-upgrade --map shop=shop2

kubeferry plan before-upgrade -o html --file plan.html

kubeferry plan before-upgrade --include secrets -o json

kubeferry plan before-upgrade --namespace shop --include-name 'deployments/web*' --only

kubeferry plan before-upgrade --kubectl --file restore.sh, then bash restore.sh CONTEXT
"""


Backup = restore.Backup
Rename = restore.Rename
IfOwned = restore.IfOwned
NoRewrite = restore.NoRewrite
IfAbsent = restore.IfAbsent
How = Annotated[
    Form,
    typer.Option(
        "-o",
        "--output",
        envvar="KUBEFERRY_OUTPUT",
        rich_help_panel=PANEL,
        help="How to print the plan; html is one page with the graph, for a browser.",
    ),
]
Kubectl = Annotated[
    bool,
    typer.Option("--kubectl", help="Print a bash script that does the restore by kubectl alone; it holds the Secrets!"),
]
File = Annotated[
    Path | None,
    typer.Option(
        "--file",
        metavar="FILE",
        dir_okay=False,
        show_default=False,
        rich_help_panel=PANEL,
        help="Write to this file, readable by you only, instead of stdout.",
    ),
]


def plan(  # noqa: PLR0913 - a parameter is an option
    backup: Backup,
    *,
    rename: Rename = None,
    owned: IfOwned = "rebuild",
    modify: Modify = None,
    no_rewrite: NoRewrite = None,
    absent: IfAbsent = None,
    kubectl: Kubectl = False,
    namespace: selection.OneNamespace = None,
    namespace_selector: selection.NamespaceSelector = "",
    exclude_namespace: selection.ExcludeNamespace = None,
    selector: selection.Selector = "",
    annotation_selector: selection.AnnotationSelector = "",
    include: selection.Include = None,
    exclude: selection.Exclude = None,
    include_name: selection.IncludeName = None,
    exclude_name: selection.ExcludeName = None,
    only: selection.Only = False,
    store: StoreUrl = "",
    identity: Identity = None,
    output: How = Form.TABLE,
    file: File = None,
    debug: Debug = False,  # noqa: ARG001 - its callback has taken it
) -> None:
    """Show what a restore would do, offline: levels, what waits for what and why, and what is rewritten."""
    from kubeferry.flows.options.files import modifications
    from kubeferry.flows.options.parsing import options, pairs
    from kubeferry.tasks.core.models.options import RestoreOptions

    asked = options(
        RestoreOptions,
        backup=backup,
        map=pairs(rename or []),
        owned=owned,
        modify=modifications(modify or []),
        no_rewrite=no_rewrite or [],
        absent=pairs(absent or [], "--absent", "CLASS=POLICY, as uid=drop"),
        namespaces=namespace or [],
        namespace_selector=namespace_selector,
        exclude_namespace=exclude_namespace or [],
        selector=selector,
        annotation_selector=annotation_selector,
        include=include or [],
        exclude=exclude or [],
        include_name=include_name or [],
        exclude_name=exclude_name or [],
        only=only,
        store=store,
        identities=list(map(str, identity or [])),
    )
    _print(asked, output, file, kubectl=kubectl)


def _print(asked: RestoreOptions, output: Form, file: Path | None, *, kubectl: bool) -> None:
    from kubeferry.flows.console.terminal import told
    from kubeferry.tasks.plan.offline import planned

    with told(), planned(asked) as made:
        if kubectl:
            from kubeferry.tasks.core.plan.kubectl.script import script

            _write(script(made.parts, made.body, made.whole), file)
        else:
            _write(_text(made, output), file)


def _text(made: Planned, output: Form) -> Iterable[str]:
    from kubeferry.flows.console import plan_table
    from kubeferry.tasks.core.jsondoc.printable import as_json, as_yaml
    from kubeferry.tasks.core.plan.document import document

    found = document(made.parts)
    if output is Form.TABLE:
        return plan_table.lines(found)
    if output is Form.HTML:
        from kubeferry.flows.console.plan_page import page

        return [page(found)]
    if output is Form.YAML:
        return [as_yaml(found.model_dump(mode="json"))]
    return [as_json(found.model_dump(mode="json"))]


def _write(text: Iterable[str], file: Path | None) -> None:
    """Write piece by piece; to a file whole or not at all, as it may hold Secrets with mode 0600."""
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
