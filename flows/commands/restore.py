"""`kubeferry restore`: ask, start the flow, print its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kubeferry.flows.options import completion as completing
from kubeferry.flows.options import selection as choosing
from kubeferry.flows.options.common import Context, Debug, Format, Identity, Kubeconfig, Modify, Output, StoreUrl

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kubeferry.tasks.core.models.results import RestoreResult

# The values of `options.Owned`, which cost the import of pydantic; a test compares them.
Owned = Literal["rebuild", "keep"]

EPILOG = """\
[bold]Examples[/bold]

kubeferry restore shop-20260102-030405 --map shop=shop2

kubeferry restore before-upgrade --existing update --context production

kubeferry restore before-upgrade --include configmaps --include secrets --existing skip

kubeferry restore before-upgrade --existing update --existing secrets=skip --existing jobs.batch=recreate

kubeferry restore before-upgrade --namespace shop --include-name deployments/web --map shop=shop2

kubeferry restore before-upgrade --no-wait -o json

kubeferry restore before-upgrade --map shop=test --modify smaller.yaml

kubeferry restore --resume before-upgrade-restore-20260102-030405

kubeferry restore before-upgrade --existing update --approve, and from anywhere: kubeferry approve RESTORE
"""


Backup = Annotated[
    str,
    typer.Argument(
        metavar="BACKUP",
        help="Name of the backup; none with --resume.",
        show_default=False,
        autocompletion=completing.backups,
    ),
]
Resume = Annotated[
    str,
    typer.Option(
        autocompletion=completing.restores,
        metavar="RESTORE",
        show_default=False,
        help="Go on with a restore that was cut off: only what is missing, with the options that it began with.",
    ),
]
Bundle = Annotated[bool, typer.Option(help="Make a bundle that owns what is created: who deletes it deletes that.")]
Rollback = Annotated[bool, typer.Option(help="Take back what was done when the restore fails.")]
Approve = Annotated[
    bool,
    typer.Option(
        "--approve",
        show_default=False,
        help="Pause before anything is written, with the plan in Prefect's UI, and go on when a person approves.",
    ),
]
ApproveSeconds = Annotated[
    int, typer.Option(min=1, max=604800, metavar="SECONDS", help="Longest time to wait for approval.")
]
Rename = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="SRC=DST", show_default=False, help="Restore namespace SRC as DST; may be repeated."),
]
IfExisting = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[KIND=]MODE",
        show_default=False,
        help="What to do with an object that is there already, with other content: fail (the default), skip, update or "
        "recreate; for one kind KIND=MODE, as secrets=skip; may be repeated.",
    ),
]
IfOwned = Annotated[
    Owned,
    typer.Option(
        metavar="MODE",
        help="What to do with objects that their controller would make again: rebuild leaves them to it, or keep.",
    ),
]
NoRewrite = Annotated[
    list[str] | None,
    typer.Option(
        "--no-rewrite",
        metavar="CLASS|GLOB",
        show_default=False,
        help="With --map, leave as it is: a class (dns, setting…) or a place, 'ConfigMap shop/notes /data/*'.",
    ),
]
IfAbsent = Annotated[
    list[str] | None,
    typer.Option(
        "--absent",
        metavar="CLASS=POLICY",
        show_default=False,
        help="Where the target has no value for a class (pod-ip, service-ip, uid…): keep, drop, empty or fail.",
    ),
]
Name = Annotated[
    str, typer.Option(metavar="NAME", show_default=False, help="Name of this restore; else from backup and time.")
]
Wait = Annotated[bool, typer.Option(help="Wait after each level until its objects are ready.")]
WaitSeconds = Annotated[
    int, typer.Option(min=1, max=86400, metavar="SECONDS", help="Longest time to wait for one level.")
]


def restore(  # noqa: PLR0913 - a parameter is an option
    backup: Backup = "",
    *,
    rename: Rename = None,
    existing: IfExisting = None,
    owned: IfOwned = "rebuild",
    modify: Modify = None,
    no_rewrite: NoRewrite = None,
    absent: IfAbsent = None,
    name: Name = "",
    resume: Resume = "",
    approve: Approve = False,
    approve_seconds: ApproveSeconds = 3600,
    rollback: Rollback = True,
    bundle: Bundle = True,
    wait: Wait = True,
    wait_seconds: WaitSeconds = 300,
    namespace: choosing.OneNamespace = None,
    namespace_selector: choosing.NamespaceSelector = "",
    exclude_namespace: choosing.ExcludeNamespace = None,
    selector: choosing.Selector = "",
    annotation_selector: choosing.AnnotationSelector = "",
    include: choosing.Include = None,
    exclude: choosing.Exclude = None,
    include_name: choosing.IncludeName = None,
    exclude_name: choosing.ExcludeName = None,
    only: choosing.Only = False,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    store: StoreUrl = "",
    identity: Identity = None,
    output: Output = Format.TABLE,
    debug: Debug = False,  # noqa: ARG001 - its callback has taken it
) -> None:
    """Restore a backup, ours or Velero's: into its own namespaces or beside them, on this cluster or another.

    What the target lacks is told before anything is written.
    """
    from kubeferry.flows.console.results import failed, finish
    from kubeferry.flows.console.run import run
    from kubeferry.flows.options.files import modifications
    from kubeferry.flows.options.parsing import modes, options, pairs
    from kubeferry.tasks.core.errors import KubeferryError
    from kubeferry.tasks.core.models.options import RestoreOptions
    from kubeferry.tasks.core.models.results import RestoreResult

    asked = options(
        RestoreOptions,
        backup=backup,
        map=pairs(rename or []),
        **modes(existing or []),
        owned=owned,
        modify=modifications(modify or []),
        no_rewrite=no_rewrite or [],
        absent=pairs(absent or [], "--absent", "CLASS=POLICY, as uid=drop"),
        name=name,
        resume=resume,
        approve=approve,
        approve_seconds=approve_seconds,
        rollback=rollback,
        bundle=bundle,
        wait=wait,
        wait_seconds=wait_seconds,
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
        context=context,
        kubeconfig=kubeconfig,
        store=store,
        identities=list(map(str, identity or [])),
    )

    def start() -> Coroutine[Any, Any, RestoreResult]:
        from kubeferry.flows.restore import restore as flow

        return flow(asked)

    try:
        result = run(start, asked)
    except KubeferryError as error:
        if isinstance(error.result, RestoreResult):
            failed(error.result, output)
        raise
    finish(result, asked, output)
