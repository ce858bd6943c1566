"""Choose the backups that are to be verified: the one that was named, or the newest of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import BackupNotFoundError, DamagedError
from kubeferry.tasks.ports.records.backups import backups
from kubeferry.tasks.ports.store.open import open_store
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from kubeferry.tasks.core.models.options_maintenance import VerifyOptions


@step("choose")
async def choose_backups(options: VerifyOptions) -> list[str]:
    """Return names of backups, the newest first.

    Raises:
        BackupNotFoundError: the store holds none.
        DamagedError: the metadata of a backup cannot be read, so nobody knows which are the newest.
    """
    return [options.backup] if options.backup else await in_thread(_newest, options)


def _newest(options: VerifyOptions) -> list[str]:
    store = open_store(options.store)
    found = []
    for each in backups(store):
        if isinstance(each, DamagedError):
            raise each
        found.append((each.started, each.name))
    if not found:
        raise BackupNotFoundError(f"there is no backup to verify in {store.url}")
    return [name for _, name in sorted(found, reverse=True)[: options.newest]]
