"""`kubeferry backup`: start the flow, print its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.flows.options.from_model import takes
from kubeferry.flows.options.shared import KINDS, OF_CLUSTER, PLACE

if TYPE_CHECKING:
    from kubeferry.flows.options.common import Format
    from kubeferry.tasks.core.models.options import BackupOptions

EPILOG = """\
Examples:
  kubeferry backup shop
  kubeferry backup shop billing --name before-upgrade
  kubeferry backup --namespace-selector team=shop --exclude secrets
  kubeferry backup --all-namespaces --exclude-namespace 'test-*' --name nightly
  kubeferry backup shop --encrypt-to age1… --encrypt-to ~/.ssh/id_ed25519.pub
  kubeferry backup shop --selector 'app in (web,api),!canary' -o json
  kubeferry backup shop --include-name deployments/web --exclude-name 'tmp-*'
"""


@takes(
    "backup",
    f"namespaces {OF_CLUSTER} name {KINDS} keep_completed_jobs",
    f"encrypt_to ttl lock_until {PLACE} sign_with output debug",
    model="options.BackupOptions",
)
def backup(asked: BackupOptions, *, output: Format) -> None:
    """Back up namespaces into a store, all at one point in time.

    What cannot be read makes the backup Partial, with exit code 3. Contents of volumes are not backed up.
    A selection includes what the selected objects need; the result says why, and what is missing.
    """
    from kubeferry.flows.console.results import finish
    from kubeferry.flows.console.run import run_and_finish

    run_and_finish("backup", asked, output, finish, at=asked)
