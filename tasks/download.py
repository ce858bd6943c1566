"""Bring a backup here and prove it against its manifest before anything else looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.core.layout import backup_name
from tasks.ports import clock, progress
from tasks.ports.backups import open_backup
from tasks.ports.store import open_store
from tasks.restoring import Archived, Restoring
from tasks.step import in_thread, step, tell

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.options import RestoreOptions


@step("download {options.backup}")
async def download(options: RestoreOptions, work: Path) -> Restoring:
    """Return a restore with the archive's objects spooled; every object is what the manifest says.

    Raises:
        BackupNotFoundError: no backup of that name.
        DamagedError: a file or an object is missing, changed, or cannot be read.
    """
    restoring = await in_thread(_download, options, work)
    if restoring.backup.manifest is None:
        tell(
            f"backup {options.backup} was written by {restoring.backup.summary.tool}: it has no digests to prove it by"
        )
    return restoring


def _download(options: RestoreOptions, work: Path) -> Restoring:
    backup = open_backup(open_store(options.store), options.backup)
    restoring = Restoring(options, backup_name(options.name, [f"{options.backup}-restore"], clock.now()), work, backup)
    tarball = work / "backup.tar.gz"
    backup.fetch(backup.keys.tarball, tarball)
    if backup.manifest and backup.keys.links in backup.manifest.files:
        backup.fetch(backup.keys.links, work / "links.jsonl.gz")
    if backup.manifest and backup.keys.bindings in backup.manifest.files:
        backup.fetch(backup.keys.bindings, work / "bindings.jsonl.gz")
    for member, data in backup.objects(tarball):
        restoring.archived.append(Archived(member, restoring.archive.append(data)))
    progress.step(f"download {options.backup}", len(restoring.archived), len(restoring.archived))
    return restoring
