"""The demo on the sandbox: back up a sample shop, restore it beside the original and on a second cluster.

It is not a flow itself, so that the Prefect UI shows the backup and the two restores as separate runs. It writes only
to the sandbox's two clusters, whatever the environment says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.deployments.sample.install import install
from kubeferry.deployments.sample.live import Live, read
from kubeferry.deployments.sample.remove import remove
from kubeferry.flows.backup import backup
from kubeferry.flows.restore import restore
from kubeferry.tasks.core.compare.restored import Finding, findings
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import BackupOptions, RestoreOptions
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.step import in_thread

if TYPE_CHECKING:
    from kubeferry.deployments.sample.install import Installed
    from kubeferry.tasks.core.models.results import BackupResult, RestoreResult

SHOP = "shop"


@dataclass(frozen=True)
class Spot:
    """A namespace of one of the sandbox's clusters."""

    cluster: str
    namespace: str

    def __str__(self) -> str:
        """Return `kubeferry-a/shop`."""
        return f"{self.cluster}/{self.namespace}"


ORIGINAL = Spot("kubeferry-a", SHOP)
COPIES = (Spot("kubeferry-a", "shop-copy"), Spot("kubeferry-b", SHOP))


@dataclass(frozen=True)
class Copy:
    """One restore, the namespace that it created, and each difference from the original."""

    restored: RestoreResult
    live: Live
    findings: list[Finding]


@dataclass(frozen=True)
class Demonstration:
    """What the demo did and found."""

    saved: BackupResult
    original: Live
    copies: list[Copy]


async def demo(kubeconfig: str, store: str) -> Demonstration:
    """Run the demo on the sandbox with that kubeconfig and store."""
    await in_thread(_prepare, kubeconfig)
    progress.note(f"backing up {ORIGINAL} to {store}")
    asked = BackupOptions(context=ORIGINAL.cluster, kubeconfig=kubeconfig, store=store, namespaces=[SHOP])
    saved = await backup(asked)
    restored = []
    for spot in COPIES:
        progress.note(f"restoring it as {spot}")
        names = {SHOP: spot.namespace} if spot.namespace != SHOP else {}
        wanted = RestoreOptions(context=spot.cluster, kubeconfig=kubeconfig, store=store, backup=saved.name, map=names)
        restored.append(await restore(wanted))
    progress.note("reading all three back and comparing them field by field")
    return await in_thread(_look, kubeconfig, saved, restored)


def _prepare(kubeconfig: str) -> None:
    """Remove the copies of an earlier demo, and make sure that there is a shop to back up."""
    gone = in_threads(lambda spot: remove(connect(spot.cluster, kubeconfig), spot.namespace), COPIES, len(COPIES))
    for spot, was_there in zip(COPIES, gone, strict=True):
        if was_there:
            progress.note(f"removed {spot}, which an earlier demo left in this sandbox")
    progress.note(_installed(install(connect(ORIGINAL.cluster, kubeconfig), SHOP)))


def _installed(shop: Installed) -> str:
    changed = f"; changed since, and left so: {', '.join(map(str, sorted(shop.changed)))}" if shop.changed else ""
    if shop.created:
        return f"installed the sample as {ORIGINAL}: {shop.created} objects, all ready{changed}"
    return f"{ORIGINAL} is there from an earlier demo and ready: used again{changed}"


def _look(kubeconfig: str, saved: BackupResult, restored: list[RestoreResult]) -> Demonstration:
    original = read(connect(ORIGINAL.cluster, kubeconfig), ORIGINAL.namespace)
    copies = []
    for spot, result in zip(COPIES, restored, strict=True):
        live = read(connect(spot.cluster, kubeconfig), spot.namespace)
        found = findings(
            original.objects, live.objects, {SHOP: spot.namespace}, left_out(saved, result), result.rewrites
        )
        copies.append(Copy(result, live, found))
    return Demonstration(saved, original, copies)


def left_out(saved: BackupResult, restored: RestoreResult) -> dict[Ref, str]:
    """Return what a backup and a restore of it excluded, and why."""
    excluded = [*saved.left_out, *restored.left_out]
    return {
        Ref(each.type.partition(".")[2], each.type.partition(".")[0], each.namespace, each.name): each.why
        for each in excluded
    }
