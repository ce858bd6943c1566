"""The state that the namespaces of a migration share in a process: the backup, and cached answers of the target.

The backup is downloaded, verified and unpacked once, and divided by namespace. A flow run of a namespace finds the
state here if its migration runs in the same process; on a worker, it creates its own.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import orjson

from kubeferry.tasks.core.errors import DamagedError, UsageError
from kubeferry.tasks.core.formats.migration import SHARED, Source
from kubeferry.tasks.plan.build import known_of
from kubeferry.tasks.plan.outside import OutsideObjects
from kubeferry.tasks.plan.state import Archived, Company
from kubeferry.tasks.plan.state import Source as RestoreSource
from kubeferry.tasks.ports.archive import gzip
from kubeferry.tasks.ports.archive.encryption import ASK, opener
from kubeferry.tasks.ports.archive.spool import Spool
from kubeferry.tasks.ports.cluster.cached import CachedTarget
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.local.plugins import installed
from kubeferry.tasks.ports.records.backups import StoredBackup, open_backup
from kubeferry.tasks.ports.store.open import open_store
from kubeferry.tasks.restore.state import Restore, prepared
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kubeferry.tasks.core.models.options import RestoreOptions
    from kubeferry.tasks.core.models.options_migration import MigrateOptions
    from kubeferry.tasks.ports.cluster.client import Cluster
    from kubeferry.tasks.ports.records.restores import StoredRestore


LINKS, BINDINGS = "links.jsonl.gz", "bindings.jsonl.gz"


class Migrating:
    """One migration in progress in this process. A plain class: Prefect would traverse every value of a dataclass."""

    def __init__(self, name: str, options: MigrateOptions, source: Source, work: Path) -> None:
        """Unpack nothing yet."""
        self.name, self.options, self.source, self.work = name, options, source, work
        self.backup: StoredBackup = open_backup(open_store(options.store), source.backup, opener(options.identities))
        if source.manifest != (self.backup.summary.manifest_sha256 or ""):
            raise DamagedError(
                f"migration {name} began with another backup than what {source.backup} is now (SHA-256 differs)"
            )
        self.asked = CachedTarget(self.target)
        self.rules = installed()
        self.parts: dict[str, list[Archived]] = defaultdict(list)
        """Namespace (SHARED for what is from outside) → its objects. What needs running pods of one comes with that."""
        self.spool = Spool(work / "archive.spool")
        self.company: Company

    def __repr__(self) -> str:
        """Return the name, which Prefect shows among the parameters."""
        return f"migration {self.name}"

    def target(self) -> Cluster:
        """Return the target cluster."""
        return connect(self.options.to_context or None, self.options.kubeconfig or None)

    def unpack(self) -> None:
        """Download and verify the backup, and divide it by namespace.

        Raises:
            DamagedError: a file or an object is missing, changed, or cannot be read.
            UsageError: it is encrypted, and no identity decrypts it.
        """
        if self.backup.closed:
            raise UsageError(f"backup {self.source.backup} is encrypted: {ASK}")
        tarball = self.work / "backup.tar.gz"
        self.backup.fetch_plain(self.backup.keys.tarball, tarball)
        outside = OutsideObjects(self.backup.manifest)
        for member, data in self.backup.objects(tarball):
            namespace = member.name if member.group_resource == "namespaces" else member.namespace or SHARED
            if outside.is_elsewhere(member):
                namespace = SHARED
            elif namespace == SHARED:
                namespace = outside.last_with(member, self.source.namespaces) or SHARED
            self.parts[namespace].append(Archived(member, self.spool.append(data)))
        tarball.unlink()
        everything = [each for part in self.parts.values() for each in part]
        self.company = Company(self.source.namespaces, known_of(everything))
        for key, file, field in (
            (self.backup.keys.links, LINKS, "ref"),
            (self.backup.keys.bindings, BINDINGS, "object"),
        ):
            self._divide(key, file, field)

    def _divide(self, key: str, file: str, field: str) -> None:
        """Split a file beside the tarball into one file for each namespace."""
        path = self.work / file
        self.backup.fetch_plain(key, path)
        lines: dict[str, list[bytes]] = defaultdict(list)
        with gzip.reader(path) as opened:
            for line in opened.lines():
                lines[_namespace_of(line, field, self.source.backup)].append(line)
        for namespace in self.parts:
            folder = self.folder(namespace)
            folder.mkdir(exist_ok=True, mode=0o700)
            around = lines[SHARED]
            if namespace == SHARED:
                around = [line for other, some in lines.items() if other not in {SHARED, *self.parts} for line in some]
            (folder / file).write_bytes(gzip.compress(b"".join([*lines[namespace], *around])))

    def folder(self, namespace: str) -> Path:
        """Return the folder of a part."""
        return self.work / namespace

    def restore(self, options: RestoreOptions, namespace: str, stored: StoredRestore | None) -> Restore:
        """Return the restore of one part, with its objects; `stored` is what an earlier process did of it."""
        work = self.folder(namespace)
        work.mkdir(exist_ok=True, mode=0o700)
        source = RestoreSource(options, options.name or options.resume, work, self.backup, self.spool, self.rules)
        source.archived = self.parts.get(namespace, [])
        source.company = Company(self.company.names, self.company.known, whole=namespace == SHARED)
        return prepared(source, source.plan(), stored, self.asked)

    def close(self) -> None:
        """Close the spool; the flow deletes the folder."""
        self.spool.close()


def _namespace_of(line: bytes, field: str, backup: str) -> str:
    """Return the namespace of a line's object; the line is validated when it is read."""
    try:
        _, kind, namespace, name = orjson.loads(line)[field]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"backup {backup}: a line of its {field} file names no object") from error
    named: Any = name if kind == "Namespace" and not namespace else namespace or SHARED
    return str(named)


_here: ContextVar[Migrating | None] = ContextVar("migrating", default=None)


def here() -> Migrating | None:
    """Return the migration in this process that started this flow run of a namespace, or None."""
    return _here.get()


@contextmanager
def sharing(migrating: Migrating) -> Iterator[None]:
    """Make the migration available to flow runs of namespaces that begin in the `with` block."""
    token = _here.set(migrating)
    try:
        yield
    finally:
        _here.reset(token)


@step("unpack {migrating.source.backup}")
async def unpack(migrating: Migrating) -> None:
    """Unpack the backup and divide it by namespace.

    Raises:
        DamagedError: a file or an object is missing, changed, or cannot be read.
    """
    await in_thread(migrating.unpack)
