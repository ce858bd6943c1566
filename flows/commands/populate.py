"""`kubeferry populate`: start the flow, print the outcome of each namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.flows.options.from_model import takes
from kubeferry.flows.options.shared import MANNER, PLACE, SIGNED

if TYPE_CHECKING:
    from kubeferry.flows.options.common import Format
    from kubeferry.tasks.core.models.options_migration import PopulateOptions

EPILOG = """\
Examples:
  kubeferry populate shop-template --into tenant-1,tenant-2
  kubeferry populate shop-template --into-file tenants.csv --name tenants
  kubeferry populate shop-template --into-file tenants.yaml --modify resource-modifiers.yaml -o json

A file tenants.csv: name,replicas.web,hosts.shop.example.com,labels.tenant
"""


@takes(
    "populate",
    f"backup into into_file template modify name side_by_side {MANNER} {PLACE} identity {SIGNED} output debug",
    model="options_migration.PopulateOptions",
)
def populate(asked: PopulateOptions, *, output: Format) -> None:
    """Create many namespaces from one backup, each with its own labels, replicas, hosts and patches.

    A namespace that fails is rolled back and never stops the others; the same command again does what is missing.
    """
    from kubeferry.flows.console.migrate_table import finish_populate
    from kubeferry.flows.console.run import run_and_finish

    run_and_finish("populate", asked, output, finish_populate, at=asked)
