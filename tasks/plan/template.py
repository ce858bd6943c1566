"""A backup that is unpacked once, for one restore or for many that take it as their template in the same process."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.plan.outside import OutsideObjects
from kubeferry.tasks.plan.state import Archived
from kubeferry.tasks.ports.archive.encryption import ASK, opener
from kubeferry.tasks.ports.archive.spool import Spool
from kubeferry.tasks.ports.records.backups import TARBALL, StoredBackup, open_backup
from kubeferry.tasks.ports.store.open import open_store
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kubeferry.tasks.core.models.options import RestoreOptions
    from kubeferry.tasks.core.models.options_migration import PopulateOptions

BESIDE = ("links.jsonl.gz", "bindings.jsonl.gz")
"""What stands beside the archive, by the names under which it is brought here."""


def unpacked(backup: StoredBackup, work: Path, spool: Spool) -> list[Archived]:
    """Bring a backup here, proved, and return its objects, whose bytes go into a spool.

    Raises:
        DamagedError: a file or an object is missing, changed, or cannot be read.
    """
    tarball = work / TARBALL
    backup.fetch_plain(backup.keys.tarball, tarball)
    if backup.manifest:
        for key, name in zip((backup.keys.links, backup.keys.bindings), BESIDE, strict=True):
            if key in backup.manifest.files:
                backup.fetch_plain(key, work / name)
    return [Archived(member, spool.append(data)) for member, data in backup.objects(tarball)]


class Template:
    """A backup that many restores of this process share. A plain class: Prefect would walk through a dataclass."""

    def __init__(self, options: PopulateOptions, work: Path) -> None:
        """Find the backup; nothing is unpacked yet."""
        self.store, self.work = options.store, work
        self.backup = open_backup(open_store(options.store), options.backup, opener(options.identities))
        if self.backup.closed:
            raise UsageError(f"backup {options.backup} is encrypted: {ASK}")
        self.spool = Spool(work / "archive.spool")
        self.archived: list[Archived] = []

    def __repr__(self) -> str:
        """Return the name: Prefect shows it where it shows parameters."""
        return f"backup {self.backup.summary.name}"

    def unpack(self) -> None:
        """Bring the backup here. Raises as `unpacked`."""
        self.archived = unpacked(self.backup, self.work, self.spool)
        self.backup = self.backup.without_digests()

    def lend(self, work: Path) -> None:
        """Have the files beside the archive in the folder of one restore, too."""
        for name in BESIDE:
            if (self.work / name).exists():
                (work / name).hardlink_to(self.work / name)

    @property
    def namespaces(self) -> list[str]:
        """Return the namespaces of which the archive holds anything."""
        outside = OutsideObjects(self.backup.manifest)
        members = [each.member for each in self.archived if not outside.is_elsewhere(each.member)]
        named = {each.name for each in members if each.group_resource == "namespaces"}
        return sorted(named | {each.namespace for each in members if each.namespace})

    @property
    def is_shared(self) -> bool:
        """Return whether it holds anything cluster-wide, which all namespaces that are made of it would share."""
        return any(not each.member.namespace and each.member.group_resource != "namespaces" for each in self.archived)

    def close(self) -> None:
        """Close the spool; the folder is deleted by who made it."""
        self.spool.close()


@step("unpack {template}")
async def unpack_template(template: Template) -> None:
    """Bring the backup here, once for all namespaces.

    Raises:
        DamagedError: a file or an object is missing, changed, or cannot be read.
    """
    await in_thread(template.unpack)


_here: ContextVar[Template | None] = ContextVar("template", default=None)


def here(options: RestoreOptions) -> Template | None:
    """Return the template that this restore may share: that of its backup, unpacked in this process."""
    found = _here.get()
    return found if found and (found.store, found.backup.summary.name) == (options.store, options.backup) else None


@contextmanager
def sharing(template: Template) -> Iterator[None]:
    """Let restores that begin in the `with` block share a template."""
    token = _here.set(template)
    try:
        yield
    finally:
        _here.reset(token)
