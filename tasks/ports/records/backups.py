"""Open, list and verify stored backups: the Backup object, the manifest, and the files, each verified by digest.

A store is not trusted: every name and field is validated, and every file must match its digest (the Backup object holds
the digest of the manifest, the manifest those of all other files). Archives that Velero wrote have no manifest: they
can be read, but not verified. `prove` verifies a whole backup, outside a flow too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import BackupNotFoundError, DamagedError, KeyMissingError, SignatureError, UsageError
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

TARBALL = "backup.tar.gz"
"""The name of the tarball in the folder to which a restore downloads it."""

SHOWN = 300
"""Most characters shown of a path from the manifest, which is not trusted."""


@dataclass(frozen=True, slots=True)
class StoredBackup:
    """A backup in a store: its summary, and its manifest (None for an archive that Velero wrote).

    The manifest of an encrypted backup has only its plain-text part unless `opener` has identities.
    """

    summary: Summary
    manifest: Manifest | None
    store: Store
    opener: Opener = NO_KEYS

    @property
    def keys(self) -> BackupKeys:
        """Return the keys of its files."""
        return BackupKeys(self.summary.name, sealed=self.sealed)

    @property
    def sealed(self) -> bool:
        """Return whether it is encrypted."""
        return bool(self.manifest and self.manifest.encryption)

    @property
    def closed(self) -> bool:
        """Return whether it is encrypted and there is no identity: not even the names of its objects are known."""
        return self.sealed and not self.opener

    def sealer(self) -> Sealer | None:
        """Return a Sealer for the recipients of the backup, None if it is not encrypted."""
        encryption = self.manifest.encryption if self.manifest else None
        return Sealer(encryption.recipients) if encryption else None

    def proof(self, work: Path) -> str:
        """Return the SHA-256 that tells it from any other backup of its name: of its manifest.

        An archive of Velero has none: it is that of its tarball, which is in the folder `work` (plan/template.py).
        """
        return self.summary.manifest_sha256 or digest_of(work / TARBALL).sha256

    def fetch_plain(self, key: str, target: Path) -> None:
        """Download one of its files as `fetch` does, and decrypt it if it is encrypted.

        Raises:
            DamagedError: the file is missing, does not match the manifest, or cannot be decrypted.
            UsageError: it is encrypted, and no identity decrypts it.
        """
        if not self.sealed:
            self.fetch(key, target)
            return
        sealed = target.with_name(f"{target.name}{SEALED}")
        self.fetch(key, sealed)
        self.open_file(sealed, target)
        sealed.unlink()

    def open_file(self, sealed: Path, target: Path) -> None:
        """Decrypt one of its downloaded files. Raises as `fetch_plain` does."""
        self.opener.open_file(sealed, target, f"backup {self.summary.name}")

    def without_digests(self) -> StoredBackup:
        """Return it without the digests of its objects, when these are proved: they are as large as their names."""
        return replace(self, manifest=self.manifest and self.manifest.model_copy(update={"objects": {}}))

    def fetch(self, key: str, target: Path) -> None:
        """Download one of its files and verify it against the manifest.

        Raises:
            DamagedError: the file is missing or does not match the manifest.
        """
        try:
            self.store.get_file(key, target)
        except KeyMissingError:
            raise DamagedError(f"backup {self.summary.name}: {key} is missing from {self.store.url}") from None
        wanted = self.manifest.files.get(key) if self.manifest else None
        if self.manifest and wanted != digest_of(target):
            raise DamagedError(f"backup {self.summary.name}: {key} is not what the manifest says (SHA-256 differs)")

    def objects(self, tarball: Path) -> Iterator[tuple[Member, bytes]]:
        """Yield each object of its tarball, verified against the manifest if there is one.

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
    """Return backup `name`; `opener` decrypts the encrypted part of the manifest.

    Raises:
        BackupNotFoundError: there is no such backup, or it never finished.
        DamagedError: its Backup object or manifest is missing, damaged or of another format.
        UsageError: it is encrypted, and no given identity decrypts it.
    """
    keys = BackupKeys(check_name(name))
    try:
        raw = _get(store, keys.metadata, name)
    except KeyMissingError:
        raise BackupNotFoundError(f"no backup {name} in {store.url}") from None
    summary = Summary(_json(raw, name, "velero-backup.json"), name)
    if summary.manifest_sha256 is None:
        if store.exists(keys.manifest):  # else removing the digest from the Backup object would disable verification
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
    """Return the manifest of an encrypted backup with its decrypted contents."""
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
    """Yield the summary of each finished backup of a store; one that cannot be read yields its error."""
    for name in store.folders(f"{ROOT}/"):
        try:
            check_name(name)
        except UsageError as error:
            yield DamagedError(f"the store contains an invalid backup: {error}")
            continue
        try:
            raw = _get(store, BackupKeys(name).metadata, name)
            yield Summary(_json(raw, name, "velero-backup.json"), name)
        except KeyMissingError:
            continue  # never finished: not a backup
        except DamagedError as error:
            yield error


def _get(store: Store, key: str, name: str) -> bytes:
    try:
        return store.get(key, MAX_OBJECT)
    except SignatureError:
        raise  # it names the file
    except DamagedError as error:
        raise DamagedError(f"backup {name}: {error}") from error


def digest_of(path: Path) -> Digest:
    """Return the digest of a file."""
    with path.open("rb") as file:
        return Digest(sha256=hashlib.file_digest(file, "sha256").hexdigest(), size=path.stat().st_size)


def gunzip(packed: bytes, name: str) -> bytes:
    """Return the unpacked bytes.

    Raises:
        DamagedError: not gzip, or truncated.
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
    """What was verified: files and bytes by digest, and objects one by one (0 unless requested)."""

    name: str
    files: int
    bytes: int
    objects: int
    proved: bool
    """False for an archive without a manifest, which can be read but not verified."""
    closed: bool = False
    """True for an encrypted backup without a key: its files were verified, its objects were not read."""


def prove(store: str, name: str, *, deep: bool = False, identities: Iterable[str] = ()) -> Proof:
    """Read back and verify every file of a backup; with `deep` also every object in its archive.

    An encrypted backup is verified without a key; only `deep` needs `identities`, the paths of files of secret keys.

    Raises:
        DamagedError: a file or object is missing, does not match the manifest, or is not in it.
        UsageError: the backup is encrypted, and `deep` cannot decrypt it with these identities.
    """
    return prove_stored(open_backup(open_store(store), name, opener(identities)), deep=deep)


def prove_stored(backup: StoredBackup, *, deep: bool = False) -> Proof:
    """Read back and verify every file of an opened backup, as `prove` does."""
    name = backup.summary.name
    if deep and backup.closed:
        raise UsageError(f"backup {name} is encrypted, its objects cannot be verified one by one: {ASK}")
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
    """Return the number of objects in a tarball, each verified."""
    if not backup.sealed:
        return sum(1 for _ in backup.objects(tarball))
    plain = tarball.with_name("plain")
    backup.open_file(tarball, plain)
    count = sum(1 for _ in backup.objects(plain))
    plain.unlink()
    return count


def _files(backup: StoredBackup) -> list[str]:
    """Return the keys of the files to read."""
    return sorted(backup.manifest.files) if backup.manifest else [backup.keys.tarball]
