"""`kubeferry export`: start the flow, print its result; or print the objects themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from kubeferry.flows.options.from_model import takes
from kubeferry.flows.options.shared import OF_BACKUP, PLACE

if TYPE_CHECKING:
    from kubeferry.flows.options.common import Format
    from kubeferry.tasks.core.models.options_export import ExportOptions

EPILOG = """\
Examples:
  kubeferry export before-upgrade --as yaml --out shop
  kubeferry export before-upgrade --as kustomize --out shop --map shop=shop-test
  kubeferry export before-upgrade --namespace shop --as helm --out chart
  kubeferry export before-upgrade --as helm --shape bundle --out chart
  kubeferry export --from-cluster shop --as yaml --out - --exclude secrets
  kubeferry export before-upgrade --out shop --secrets age --encrypt-to age1…
  kubeferry export before-upgrade --out shop --secrets external --secret-store ClusterSecretStore/vault
"""


@takes(
    "export",
    "backup from_cluster format shape out force secrets secret_store encrypt_to",
    f"rename modify no_rewrite rewrite_also rewrite_rules owned allow_plain {OF_BACKUP} {PLACE}",
    "identity verify_with output debug",
    model="options_export.ExportOptions",
)
def export(asked: ExportOptions, *, output: Format) -> None:
    """Write a backup, or a namespace of a cluster, as files for Git: plain YAML, for Kustomize, or a Helm chart.

    What the cluster assigned is left out, and what cannot be expressed in a file is listed in the folder's README.md.
    Secrets are left out unless you say otherwise.
    """
    if asked.out == "-":
        _print(asked)
    from kubeferry.flows.console.export_table import finish
    from kubeferry.flows.console.run import run_and_finish

    run_and_finish("export", asked, output, finish, at=asked, reach=bool(asked.from_cluster))


def _print(asked: ExportOptions) -> NoReturn:
    """Print the objects as one stream of YAML documents, in the order that works."""
    from pathlib import Path

    from kubeferry.flows.console.export_table import stream
    from kubeferry.flows.console.run import run_and_finish
    from kubeferry.flows.options.common import Format
    from kubeferry.tasks.core.errors import UsageError
    from kubeferry.tasks.core.models.options_export import ExportFormat
    from kubeferry.tasks.ports.local.workdir import workdir

    if asked.format is not ExportFormat.YAML:
        raise UsageError("--out - prints plain YAML: use it with --as yaml")
    with workdir() as work:
        there = asked.model_copy(update={"out": str(Path(work) / "export"), "force": False})
        run_and_finish("export", there, Format.TABLE, stream, at=asked, reach=bool(asked.from_cluster))
