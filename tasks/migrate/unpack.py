"""Bring the backup of a migration here, proved, once for all of its namespaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from kubeferry.tasks.migrate.state import Migrating


@step("unpack {migrating.source.backup}")
async def unpack(migrating: Migrating) -> None:
    """Unpack the backup and divide it by namespace.

    Raises:
        DamagedError: a file or an object is missing, changed, or cannot be read.
    """
    await in_thread(migrating.unpack)
