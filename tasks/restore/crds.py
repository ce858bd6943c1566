"""Apply the definitions of custom resources, and wait until the API server really serves what they define."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.kube.resources import defined
from kubeferry.tasks.restore.apply import write
from kubeferry.tasks.restore.wait import ready
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from kubeferry.tasks.core.kube.resources import Discovery
    from kubeferry.tasks.plan.state import Restoring

SERVED_SECONDS = 60
"""How long discovery may lag behind an established CRD; it is a fraction of a second on a quiet server."""


@step("apply CRDs")
async def apply_crds(restoring: Restoring) -> None:
    """Create the CRDs that the target lacks; one that it has stays as it is, since others use it."""
    await in_thread(write, restoring, restoring.plan.definitions, "apply CRDs")


@step("wait until served")
async def wait_until_served(restoring: Restoring) -> None:
    """Wait until CRDs are established and discovery lists their kinds.

    Raises:
        PermanentError: a CRD's names are taken, or its kind is not served in time.
    """
    await in_thread(_wait, restoring)


def _wait(restoring: Restoring) -> None:
    ready(restoring, restoring.plan.definitions, "wait until served")
    bodies = (restoring.planned.read(restoring.plan.items[ref].slot) for ref in restoring.plan.definitions)
    wanted = {(kind.group, kind.kind) for kind in map(defined, bodies)}
    limit = time.monotonic() + SERVED_SECONDS
    while True:
        restoring.discovery = restoring.asked.anew()
        missing = sorted(kind for kind in wanted if not _served(restoring.discovery, kind))
        if not missing:
            return
        if time.monotonic() > limit:
            told = ", ".join(f"{kind}.{group}" for group, kind in missing)
            raise PermanentError(f"established and not served within {SERVED_SECONDS} s: {told}")
        time.sleep(0.1)


def _served(discovery: Discovery, kind: tuple[str, str]) -> bool:
    return discovery.by_kind(*kind) is not None
