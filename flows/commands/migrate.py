"""`kubeferry migrate`: ask, start the flow, print how it went with each namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kubeferry.flows.commands import restore as like  # noqa: TC001 - as above
from kubeferry.flows.options import selection  # noqa: TC001 - Typer reads the annotations when the program runs
from kubeferry.flows.options.common import PANEL, Debug, Format, Identity, Kubeconfig, Output, StoreUrl

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kubeferry.tasks.core.models.results import MigrateResult

# The values of `options_migration.FanOut`, which cost the import of pydantic; a test compares them.
FanOut = Literal["here", "deployment"]

EPILOG = """\
[bold]Examples[/bold]

kubeferry migrate shop billing --from-context old --to-context new

kubeferry migrate --namespace-selector team=shop --from-context old --to-context new --map shop=shop-new

kubeferry migrate --all-namespaces --exclude-namespace 'test-*' --from-context old --to-context new -o json

kubeferry migrate --resume migrate-shop-20260102-030405

kubeferry migrate --all-namespaces --from-context old --to-context new --fan-out deployment
"""

Namespaces = Annotated[
    list[str] | None, typer.Argument(metavar="NAMESPACE", help="Namespaces to migrate.", show_default=False)
]
FromContext = Annotated[
    str,
    typer.Option(
        envvar="KUBEFERRY_FROM_CONTEXT",
        metavar="NAME",
        show_default=False,
        rich_help_panel=PANEL,
        help="Context of the cluster that they come from; else the kubeconfig's current one.",
    ),
]
ToContext = Annotated[
    str,
    typer.Option(
        envvar="KUBEFERRY_TO_CONTEXT",
        metavar="NAME",
        show_default=False,
        rich_help_panel=PANEL,
        help="Context of the cluster that they go to.",
    ),
]
Name = Annotated[
    str, typer.Option(metavar="NAME", show_default=False, help="Name of the migration; else from namespaces and time.")
]
Resume = Annotated[
    str,
    typer.Option(
        metavar="MIGRATION",
        show_default=False,
        help="Go on with a migration that was cut off or partly failed: only the namespaces that are missing.",
    ),
]
SideBySide = Annotated[int, typer.Option(min=1, max=64, metavar="N", help="How many namespaces are worked on at once.")]
Where = Annotated[
    FanOut,
    typer.Option(
        metavar="WHERE",
        help="Restore each namespace here, or by a flow run of its own of a deployment, which workers take.",
    ),
]
Deployment = Annotated[
    str, typer.Option(metavar="FLOW/NAME", help="With --fan-out deployment: that of the flow migrate-namespace.")
]


def migrate(  # noqa: PLR0913 - a parameter is an option
    namespaces: Namespaces = None,
    *,
    from_context: FromContext = "",
    to_context: ToContext = "",
    rename: like.Rename = None,
    name: Name = "",
    resume: Resume = "",
    side_by_side: SideBySide = 6,
    fan_out: Where = "here",
    deployment: Deployment = "migrate-namespace/on-demand",
    existing: like.IfExisting = None,
    owned: like.IfOwned = "rebuild",
    no_rewrite: like.NoRewrite = None,
    absent: like.IfAbsent = None,
    rollback: like.Rollback = True,
    bundle: like.Bundle = True,
    wait: like.Wait = True,
    wait_seconds: like.WaitSeconds = 300,
    all_namespaces: selection.AllNamespaces = False,
    namespace_selector: selection.NamespaceSelector = "",
    exclude_namespace: selection.ExcludeNamespace = None,
    selector: selection.Selector = "",
    annotation_selector: selection.AnnotationSelector = "",
    include: selection.Include = None,
    exclude: selection.Exclude = None,
    include_name: selection.IncludeName = None,
    exclude_name: selection.ExcludeName = None,
    only: selection.Only = False,
    kubeconfig: Kubeconfig = "",
    store: StoreUrl = "",
    identity: Identity = None,
    output: Output = Format.TABLE,
    debug: Debug = False,  # noqa: ARG001 - its callback has taken it
) -> None:
    """Migrate namespaces to another cluster: one backup of them all, then a restore of each, side by side.

    A namespace that fails is taken back and never stops the others; --resume does what is missing.
    """
    from kubeferry.flows.console.migrate_table import finish
    from kubeferry.flows.console.run import run
    from kubeferry.flows.options.parsing import modes, options, pairs
    from kubeferry.tasks.core.models.options import Where as Place
    from kubeferry.tasks.core.models.options_migration import MigrateOptions

    asked = options(
        MigrateOptions,
        namespaces=namespaces or [],
        from_context=from_context,
        to_context=to_context,
        map=pairs(rename or []),
        name=name,
        resume=resume,
        side_by_side=side_by_side,
        fan_out=fan_out,
        deployment=deployment,
        **modes(existing or []),
        owned=owned,
        no_rewrite=no_rewrite or [],
        absent=pairs(absent or [], "--absent", "CLASS=POLICY, as uid=drop"),
        rollback=rollback,
        bundle=bundle,
        wait=wait,
        wait_seconds=wait_seconds,
        all_namespaces=all_namespaces,
        namespace_selector=namespace_selector,
        exclude_namespace=exclude_namespace or [],
        selector=selector,
        annotation_selector=annotation_selector,
        include=include or [],
        exclude=exclude or [],
        include_name=include_name or [],
        exclude_name=exclude_name or [],
        only=only,
        kubeconfig=kubeconfig,
        store=store,
        identities=list(map(str, identity or [])),
    )

    def start() -> Coroutine[Any, Any, MigrateResult]:
        from kubeferry.flows.migrate import migrate as flow

        return flow(asked)

    # A migration that is resumed knows its clusters itself.
    where = Place(context=to_context, kubeconfig=kubeconfig)
    finish(run(start, where, reach=not resume), output)
