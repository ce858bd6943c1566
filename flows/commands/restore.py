"""`kubeferry restore`: ask, start the flow, print its result.

`kubeferry undo`: ask, start the flow, print its result.

`kubeferry approve`: answer a restore that waits for approval, through the Prefect API and with no cluster.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kubeferry.flows.options import completion, selection
from kubeferry.flows.options.common import (
    Context,
    Debug,
    ForceFinalizers,
    Format,
    Identity,
    Kubeconfig,
    Modify,
    Output,
    StoreUrl,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kubeferry.tasks.core.models.results import RestoreResult, UndoResult
    from kubeferry.tasks.ports.prefect.approvals import Answered


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
        autocompletion=completion.backups,
    ),
]
Resume = Annotated[
    str,
    typer.Option(
        autocompletion=completion.restores,
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


UNDO_EPILOG = """\
[bold]Examples[/bold]

kubeferry list --restores

kubeferry undo before-upgrade-restore-20260102-030405

kubeferry undo nightly-restore-20260102-030405 --force-finalizers -o json
"""

RestoreToUndo = Annotated[
    str,
    typer.Argument(
        metavar="RESTORE", help="Name of the restore.", show_default=False, autocompletion=completion.restores
    ),
]

UndoWaitSeconds = Annotated[
    int,
    typer.Option(
        min=1, max=86400, metavar="SECONDS", help="Longest time for one level to go; namespaces get four times that."
    ),
]


def undo(  # noqa: PLR0913 - a parameter is an option
    restore: RestoreToUndo,
    *,
    force_finalizers: ForceFinalizers = False,
    wait_seconds: UndoWaitSeconds = 60,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    store: StoreUrl = "",
    identity: Identity = None,
    output: Output = Format.TABLE,
    debug: Debug = False,  # noqa: ARG001 - its callback has taken it
) -> None:
    """Take a restore back: delete what it created, give what it changed its former content, in reverse order.

    Works for one that is complete, failed or was killed. What has another uid by now is not touched. Without --context
    it goes to the context that the restore was made with, and only if that is still the same cluster.
    """
    from kubeferry.flows.console.results import finish
    from kubeferry.flows.console.run import run
    from kubeferry.flows.options.parsing import options
    from kubeferry.tasks.core.models.options import UndoOptions

    asked = options(
        UndoOptions,
        restore=restore,
        force_finalizers=force_finalizers,
        wait_seconds=wait_seconds,
        context=context,
        kubeconfig=kubeconfig,
        store=store,
        identities=list(map(str, identity or [])),
    )

    def start() -> Coroutine[Any, Any, UndoResult]:
        from kubeferry.flows.undo import undo as flow

        return flow(asked)

    finish(run(start, asked, reach=bool(context)), asked, output)


APPROVE_EPILOG = """\
[bold]Examples[/bold]

kubeferry approve before-upgrade-restore-20260102-030405

kubeferry approve before-upgrade-restore-20260102-030405 --refuse 'not before Monday'

PREFECT_API_URL=https://prefect.example.com/api kubeferry approve nightly-restore-20260102-030405
"""

RestoreToApprove = Annotated[
    str,
    typer.Argument(
        metavar="RESTORE",
        help="Name of the restore that waits, or the id of its flow run.",
        show_default=False,
        autocompletion=completion.restores,
    ),
]
Refuse = Annotated[
    str | None,
    typer.Option("--refuse", metavar="REASON", show_default=False, help="End it instead; it is told the reason."),
]


def approve(
    restore: RestoreToApprove,
    *,
    refuse: Refuse = None,
    output: Output = Format.TABLE,
    debug: Debug = False,  # noqa: ARG001 - its callback has taken it
) -> None:
    """Let a restore go on that waits for approval (restore --approve), or refuse it. Its Prefect server is used.

    Where that is, the restore has printed the URL of its plan. Returns when the restore has heard.
    """
    from kubeferry.flows.console.output import line, print_document
    from kubeferry.flows.console.terminal import told

    with told():
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
