"""Prove a stored backup outside a flow too: read every file back from the store and compare it with the manifest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.ports.archive.encryption import ASK, opener
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.workdir import workdir
from kubeferry.tasks.ports.records.backups import open_backup
from kubeferry.tasks.ports.store.open import open_store

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kubeferry.tasks.ports.records.backups import StoredBackup


@dataclass(frozen=True, slots=True)
class Proof:
    """What was proved: how many files and bytes by digest, how many objects one by one (0 when not asked for)."""

    name: str
    files: int
    bytes: int
    objects: int
    proved: bool
    """False for an archive without a manifest, which can be read but not proved."""
    closed: bool = False
    """True for an encrypted one without a key for it: its files are proved, its objects were not seen."""


def prove(store: str, name: str, *, deep: bool = False, identities: Iterable[str] = ()) -> Proof:
    """Read back every file of a backup; with `deep` also every object in its archive.

    An encrypted backup is proved without a key; only `deep` wants `identities`, the paths of files of secret keys.

    Raises:
        DamagedError: a file or object is missing, is not what the manifest says, or is not in it.
        UsageError: the backup is encrypted, and what `deep` asks for cannot be had with these identities.
    """
    backup = open_backup(open_store(store), name, opener(identities))
    if deep and backup.closed:
        raise UsageError(f"backup {name} is encrypted, its objects cannot be looked at one by one: {ASK}")
    with workdir() as work:
        files = _files(backup)
        size = 0
        for done, key in enumerate(files, start=1):
            target = work / "file"
            backup.fetch(key, target)
            size += target.stat().st_size
            if key == backup.keys.tarball and (deep or not backup.manifest):
                objects = _objects(backup, target)
            target.unlink()
            progress.step(f"verify {name}", done, len(files))
        counted = objects if deep or not backup.manifest else 0
        return Proof(name, len(files), size, counted, bool(backup.manifest), backup.closed)


def _objects(backup: StoredBackup, tarball: Path) -> int:
    """Return how many objects a tarball holds, each of them proved."""
    if not backup.sealed:
        return sum(1 for _ in backup.objects(tarball))
    plain = tarball.with_name("plain")
    backup.open_file(tarball, plain)
    count = sum(1 for _ in backup.objects(plain))
    plain.unlink()
    return count


def _files(backup: StoredBackup) -> list[str]:
    """Return what to read."""
    return sorted(backup.manifest.files) if backup.manifest else [backup.keys.tarball]
