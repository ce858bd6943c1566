"""Charts that tests make of a backup."""

from tests.support.bench import A

from kubeferry.flows.export import export
from kubeferry.tasks.core.models.options_export import ExportOptions


def charted(bench, saved, out, **options):
    """Write the chart of a backup into a folder; return the result."""
    asked = {"backup": saved.name, "out": str(out), "context": A, "format": "helm", **bench.where, **options}
    return bench.run_flow(export(ExportOptions(**asked)))
