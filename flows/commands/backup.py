"""`kubeferry backup`: ask, start the flow, print its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from kubeferry.flows.options import completion, selection
from kubeferry.flows.options.common import Context, Debug, Format, Kubeconfig, Output, StoreUrl

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from kubeferry.tasks.core.models.results import BackupResult

EPILOG = """\
[bold]Examples[/bold]

kubeferry backup shop

kubeferry backup shop billing --name before-upgrade

kubeferry backup --namespace-selector team=shop --exclude secrets

kubeferry backup --all-namespaces --exclude-namespace 'test-*' --name nightly

kubeferry backup shop --encrypt-to age1… --encrypt-to ~/.ssh/id_ed25519.pub

kubeferry backup shop --selector 'app in (web,api),!canary' -o json

kubeferry backup shop --include-name deployments/web --exclude-name 'secrets/tmp-*'
"""


Namespaces = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAMESPACE", help="Namespaces to back up.", show_default=False, autocompletion=completion.namespaces
    ),
]
Name = Annotated[
    str, typer.Option(metavar="NAME", show_default=False, help="Name of the backup; else from namespace and time.")
]
EncryptTo = Annotated[
    list[str] | None,
    typer.Option(
        "--encrypt-to",
        envvar="KUBEFERRY_ENCRYPT_TO",
        metavar="RECIPIENT",
        show_default=False,
        help="Encrypt it: age1…, an SSH public key, or a file of such; may be repeated. Velero cannot read it then.",
    ),
]
Ttl = Annotated[
    str,
    typer.Option(
        metavar="SPAN",
        show_default=False,
        help="Keep it for so long (30d, 12h, 6mo); then kubeferry prune removes it, and Velero where it is at work.",
    ),
]
KeepCompletedJobs = Annotated[
    bool, typer.Option("--keep-completed-jobs", rich_help_panel=selection.WHAT, help="Carry Jobs that are completed.")
]


def backup(  # noqa: PLR0913 - a parameter is an option
    namespaces: Namespaces = None,
    *,
    all_namespaces: selection.AllNamespaces = False,
    namespace_selector: selection.NamespaceSelector = "",
    exclude_namespace: selection.ExcludeNamespace = None,
    name: Name = "",
    selector: selection.Selector = "",
    annotation_selector: selection.AnnotationSelector = "",
    include: selection.Include = None,
    exclude: selection.Exclude = None,
    include_name: selection.IncludeName = None,
    exclude_name: selection.ExcludeName = None,
    only: selection.Only = False,
    keep_completed_jobs: KeepCompletedJobs = False,
    encrypt_to: EncryptTo = None,
    ttl: Ttl = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    store: StoreUrl = "",
    output: Output = Format.TABLE,
    debug: Debug = False,  # noqa: ARG001 - its callback has taken it
) -> None:
    """Back up namespaces into a store, all at one point in time.

    What could not be read makes the backup Partial, and exit 3. Contents of volumes are not carried.
    Of a selection, what the selected objects need is in too; the result says why, and what is missing.
    """
    from kubeferry.flows.console.results import finish
    from kubeferry.flows.console.run import run
    from kubeferry.flows.options.parsing import options
    from kubeferry.tasks.core.errors import UsageError
    from kubeferry.tasks.core.formats.recipients import rejoined
    from kubeferry.tasks.core.models.options import BackupOptions

    if not (namespaces or namespace_selector or all_namespaces):
        raise UsageError("name a NAMESPACE to back up, or choose some with --namespace-selector or --all-namespaces")
    asked = options(
        BackupOptions,
        namespaces=namespaces or [],
        all_namespaces=all_namespaces,
        namespace_selector=namespace_selector,
        exclude_namespace=exclude_namespace or [],
        name=name,
        selector=selector,
        annotation_selector=annotation_selector,
        include=include or [],
        exclude=exclude or [],
        include_name=include_name or [],
        exclude_name=exclude_name or [],
        only=only,
        keep_completed_jobs=keep_completed_jobs,
        encrypt_to=rejoined(encrypt_to or []),
        ttl=ttl,
        context=context,
        kubeconfig=kubeconfig,
        store=store,
    )

    def start() -> Coroutine[Any, Any, BackupResult]:
        from kubeferry.flows.backup import backup as flow

        return flow(asked)

    finish(run(start, asked), asked, output)
