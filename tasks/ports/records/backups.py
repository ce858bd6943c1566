"""Open a stored backup: its Backup object, our manifest, and files that are proved by digest while they are fetched.

A store is not trusted: every name and shape is checked, and each file has to be what the one above it says (the Backup
object names the manifest's digest, the manifest every other file's). Archives that Velero wrote have no manifest and
can only be read, not proved.

Prove a stored backup outside a flow too: read every file back from the store and compare it with the manifest.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import BackupNotFoundError, DamagedError, KeyMissingError, UsageError
from kubeferry.tasks.core.formats.layout import ROOT, SEALED, BackupKeys, check_name
from kubeferry.tasks.core.formats.manifest import Digest, Manifest, digest, joined, parse_contents, parse_manifest
from kubeferry.tasks.core.formats.velero_backup import Summary
from kubeferry.tasks.core.jsondoc.encoding import parse
from kubeferry.tasks.core.jsondoc.limits import LISTED_RATIO, MAX_OBJECT
from kubeferry.tasks.core.jsondoc.printable import one_line
from kubeferry.tasks.ports.archive import gzip
from kubeferry.tasks.ports.archive import tarball as archive
from kubeferry.tasks.ports.archive.encryption import ASK, Opener, Sealer, opener
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.workdir import workdir
from kubeferry.tasks.ports.store.open import open_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from kubeferry.tasks.core.formats.layout import Member
    from kubeferry.tasks.ports.store.base import Store


NO_KEYS = Opener()

SHOWN = 300
"""Characters that are told of a path which only the manifest names: it may be anything."""


@dataclass(frozen=True, slots=True)
class StoredBackup:
    """A backup in a store: what a list shows of it, and our manifest (None for an archive that Velero wrote).

    Of an encrypted one without identities in `opener`, the manifest is only what can be read without a key.
    """

    summary: Summary
    manifest: Manifest | None
    store: Store
    opener: Opener = NO_KEYS

    @property
    def keys(self) -> BackupKeys:
        """Return where its files stand."""
        return BackupKeys(self.summary.name, sealed=self.sealed)

    @property
    def sealed(self) -> bool:
        """Return whether it is encrypted."""
        return bool(self.manifest and self.manifest.encryption)

    @property
    def closed(self) -> bool:
        """Return whether it is encrypted and no identity opens it: its objects cannot even be named."""
        return self.sealed and not self.opener

    def sealer(self) -> Sealer | None:
        """Return what encrypts to those to whom the backup is encrypted, None for one that is not encrypted."""
        encryption = self.manifest.encryption if self.manifest else None
        return Sealer(encryption.recipients) if encryption else None

    def fetch_plain(self, key: str, target: Path) -> None:
        """Bring one of its files here as `fetch` does, decrypted if it is encrypted.

        Raises:
            DamagedError: the file is missing or is not what the manifest says, or cannot be decrypted.
            UsageError: it is encrypted, and no identity opens it.
        """
        if not self.sealed:
            self.fetch(key, target)
            return
        sealed = target.with_name(f"{target.name}{SEALED}")
        self.fetch(key, sealed)
        self.open_file(sealed, target)
        sealed.unlink()

    def open_file(self, sealed: Path, target: Path) -> None:
        """Decrypt one of its files that was fetched. Raises as `fetch_plain` does."""
        self.opener.open_file(sealed, target, f"backup {self.summary.name}")

    def fetch(self, key: str, target: Path) -> None:
        """Bring one of its files here, proved against the manifest.

        Raises:
            DamagedError: the file is missing or is not what the manifest says.
        """
        try:
            self.store.get_file(key, target)
        except KeyMissingError:
            raise DamagedError(f"backup {self.summary.name}: {key} is missing from {self.store.url}") from None
        wanted = self.manifest.files.get(key) if self.manifest else None
        if self.manifest and wanted != digest_of(target):
            raise DamagedError(f"backup {self.summary.name}: {key} is not what the manifest says (SHA-256 differs)")

    def objects(self, tarball: Path) -> Iterator[tuple[Member, bytes]]:
        """Yield each object of its tarball, proved against the manifest where there is one.

        Raises:
            DamagedError: an object is missing, changed or not in the manifest, or the tarball cannot be read.
        """
        if self.closed:
            raise UsageError(f"backup {self.summary.name} is encrypted: {ASK}")
        name, wanted = self.summary.name, dict(self.manifest.objects) if self.manifest else None
        for member, path, data in archive.read(tarball, name):
            if wanted is not None and wanted.pop(path, None) != hashlib.sha256(data).hexdigest():
                raise DamagedError(f"backup {name}: {one_line(path)} is not what the manifest says (SHA-256 differs)")
            yield member, data
        if wanted:
            missing = one_line(min(wanted))[:SHOWN]
            raise DamagedError(f"backup {name}: {missing} is in the manifest and not in the archive")


def open_backup(store: Store, name: str, opener: Opener = NO_KEYS) -> StoredBackup:
    """Return backup `name`; `opener` opens what an encrypted one tells only to who has a key.

    Raises:
        BackupNotFoundError: no such backup, or one that never finished.
        DamagedError: its Backup object or manifest is missing, damaged or of another format.
        UsageError: it is encrypted, and there are identities of which none opens it.
    """
    keys = BackupKeys(check_name(name))
    try:
        raw = _get(store, keys.metadata, name)
    except KeyMissingError:
        raise BackupNotFoundError(f"no backup {name} in {store.url}") from None
    summary = Summary(_json(raw, name, "velero-backup.json"), name)
    if summary.manifest_sha256 is None:
        if store.exists(keys.manifest):  # else who takes the digest out of the Backup object would take the proof away
            raise DamagedError(f"backup {name}: velero-backup.json does not name the manifest that is there")
        return StoredBackup(summary, None, store)
    try:
        packed = store.get(keys.manifest)
    except KeyMissingError:
        raise DamagedError(f"backup {name}: its manifest is missing from {store.url}") from None
    if digest(packed).sha256 != summary.manifest_sha256:
        raise DamagedError(f"backup {name}: its manifest is not what velero-backup.json says (SHA-256 differs)")
    manifest = parse_manifest(_json(gunzip(packed, name), name, "manifest"), name)
    backup = StoredBackup(summary, manifest, store, opener)
    return replace(backup, manifest=_whole(backup, manifest)) if backup.sealed and opener else backup


def _whole(backup: StoredBackup, manifest: Manifest) -> Manifest:
    """Return the manifest of an encrypted backup with what only its keys tell."""
    name, key = manifest.name, backup.keys.contents
    try:
        sealed = backup.store.get(key)
    except KeyMissingError:
        raise DamagedError(f"backup {name}: {key} is missing from {backup.store.url}") from None
    if manifest.files.get(key) != digest(sealed):
        raise DamagedError(f"backup {name}: {key} is not what the manifest says (SHA-256 differs)")
    packed = backup.opener.open(sealed, f"backup {name}")
    return joined(manifest, parse_contents(_json(gunzip(packed, name), name, "list of contents"), name))


def backups(store: Store) -> Iterator[Summary | DamagedError]:
    """Yield what each finished backup of a store is; one that cannot be read yields the error, not an end."""
    for name in store.folders(f"{ROOT}/"):
        try:
            check_name(name)
        except UsageError as error:
            yield DamagedError(f"the store holds a backup that cannot be one: {error}")
            continue
        try:
            raw = _get(store, BackupKeys(name).metadata, name)
            yield Summary(_json(raw, name, "velero-backup.json"), name)
        except KeyMissingError:
            continue  # begun and never finished: not a backup
        except DamagedError as error:
            yield error


def _get(store: Store, key: str, name: str) -> bytes:
    try:
        return store.get(key, MAX_OBJECT)
    except DamagedError as error:
        raise DamagedError(f"backup {name}: {error}") from error


def digest_of(path: Path) -> Digest:
    """Return the digest of a file."""
    with path.open("rb") as file:
        return Digest(sha256=hashlib.file_digest(file, "sha256").hexdigest(), size=path.stat().st_size)


def gunzip(packed: bytes, name: str) -> bytes:
    """Return unpacked bytes.

    Raises:
        DamagedError: not gzip, or cut short.
    """
    try:
        return gzip.decompress(packed, LISTED_RATIO)
    except DamagedError as error:
        raise DamagedError(f"backup {name}: damaged gzip: it {error}") from error


def _json(raw: bytes, name: str, what: str) -> Any:
    try:
        return parse(raw)
    except DamagedError as error:
        raise DamagedError(f"backup {name}: {what} {error}") from error


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
