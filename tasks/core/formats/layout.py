r"""The layout of a store and of a tarball: the one place where a key or a path is built, validated or parsed.

The layout is Velero's (its docs: output file format; internal/storage layout), with Kubeferry's own files beside
Velero's in `backups/NAME/`.

A key of a store is a relative POSIX path such as `backups/shop/velero-backup.json`. Keys contain names that users
choose, and stores may be written by others. So a key is refused if it could leave the root of a store or of a directory
on disk, or cannot be printed: `..`, an absolute path, an empty segment, `\`, control characters.

A path in a tarball is the place of an object, or something to ignore. It is untrusted, too: a path that does not have
exactly this form, or a name that Kubernetes does not allow, is refused.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from itertools import count
from sys import intern
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import DamagedError, UsageError
from kubeferry.tasks.core.kube.objects import NAMESPACE, is_segment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


FORMAT = "kubeferry.io/v1"
"""The version of our own files; a reader refuses any other, and names both in the message."""

ROOT = "backups"
RESTORES = "restores"
"""Velero keeps the logs of its restores there, too; it ignores unknown files in both folders."""
VELERO_FORMAT = "1"

SEALED = ".age"
"""The suffix of encrypted files; Velero reads none of them."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
"""A DNS subdomain (RFC 1123), as a Backup object of Velero must be named."""

_FORMER = re.compile(r"[0-9]{8}\.jsonl\.gz(\.age)?")


@dataclass(frozen=True, slots=True)
class BackupKeys:
    """The keys of one backup's files in a store; `sealed` means that the backup is encrypted."""

    name: str
    sealed: bool = False

    @property
    def folder(self) -> str:
        """Return the prefix of all its keys."""
        return f"{ROOT}/{self.name}/"

    @property
    def metadata(self) -> str:
        """Return the key of the Backup object: written last, so its presence means that the backup is complete."""
        return f"{self.folder}velero-backup.json"

    @property
    def tarball(self) -> str:
        """Return the key of the tarball with the objects."""
        return self._held(f"{self.name}.tar.gz")

    @property
    def manifest(self) -> str:
        """Return the key of the manifest: digests of each object and file, and what is excluded and why."""
        return f"{self.folder}kubeferry-manifest.json.gz"

    @property
    def links(self) -> str:
        """Return the key of the links (links.py): uids, owners and addresses, one JSON line per object."""
        return self._held("kubeferry-links.jsonl.gz")

    @property
    def reservation(self) -> str:
        """Return the key that a run reserves while it writes this backup, so that two runs never mix their files."""
        return f"{self.folder}kubeferry-writing.json"

    @property
    def bindings(self) -> str:
        """Return the key of the bindings: the uses of values that the source cluster assigned, one JSON line each."""
        return self._held("kubeferry-bindings.jsonl.gz")

    @property
    def contents(self) -> str:
        """Return the key of what the manifest of an encrypted backup omits: names and digests of its objects."""
        return f"{self.folder}kubeferry-contents.json.gz{SEALED}"

    def velero(self, what: str) -> str:
        """Return the key of one of Velero's optional files: such as `logs` or `resource-list.json`."""
        return f"{self.folder}{self.name}-{what}.gz"

    def _held(self, file: str) -> str:
        return f"{self.folder}{file}{SEALED if self.sealed else ''}"


@dataclass(frozen=True, slots=True)
class _RecordKeys:
    """The keys of what is kept of one restore or migration."""

    name: str

    @property
    def folder(self) -> str:
        """Return the prefix of all its keys."""
        return f"{RESTORES}/{self.name}/"


@dataclass(frozen=True, slots=True)
class RestoreKeys(_RecordKeys):
    """The keys of what is kept of one restore."""

    @property
    def header(self) -> str:
        """Return the key of the header; it is written first and reserves the name."""
        return f"{self.folder}kubeferry-restore.json"

    @property
    def journal(self) -> str:
        """Return the prefix of the segments of the journal."""
        return f"{self.folder}kubeferry-journal/"

    def segment(self, number: int) -> str:
        """Return the key of a segment of the journal (JSON lines), counted from 1."""
        return f"{self.journal}{number:08}.jsonl"

    def former(self, file: str) -> str:
        """Return the key of a file of previous contents, from its name in the journal.

        Raises:
            DamagedError: the name is not valid.
        """
        if not _FORMER.fullmatch(file):
            raise DamagedError(f"restore {self.name}: its journal names the file {file[:80]!r}, which is invalid")
        return f"{self.folder}kubeferry-former/{file}"


@dataclass(frozen=True, slots=True)
class MigrationKeys(_RecordKeys):
    """The keys of what is kept of one migration."""

    @property
    def header(self) -> str:
        """Return the key of what was asked for; it is written first and takes the name."""
        return f"{self.folder}kubeferry-migration.json"

    @property
    def source(self) -> str:
        """Return the key of what was backed up; it is there when the backup is whole."""
        return f"{self.folder}kubeferry-migration-source.json"

    @property
    def lease(self) -> str:
        """Return the key of the lease, which is there while a run begins or resumes the migration."""
        return f"{self.folder}kubeferry-migration-lease.json"

    @property
    def ends(self) -> str:
        """Return the prefix of the ends of its namespaces."""
        return f"{self.folder}kubeferry-migration-ends/"

    def end(self, namespace: str) -> str:
        """Return the key of the end of one namespace."""
        return f"{self.ends}{namespace}.json"


_SIGNED = re.compile(
    rf"({ROOT}/[^/]+/)velero-backup\.json|({RESTORES}/[^/]+/)kubeferry-(restore\.json|migration\.json"
    r"|migration-source\.json|migration-ends/[^/]+|journal/[^/]+|former/[^/]+)"
)
"""The files that are signed, if any are: the others are proved by a digest in one of these."""


def signature_key(key: str, content: bytes) -> str | None:
    """Return the key of the signature of `content`, which is stored under `key`; None for files that are not signed.

    It has the digest of the content in its name: it is stored before the file, and of two writers of one key each has
    its own.
    """
    found = _SIGNED.fullmatch(key)
    if found is None:
        return None
    return f"{found[1] or found[2]}kubeferry-signatures/{hashlib.sha256(content).hexdigest()}.sig"


def former_file(number: int, *, sealed: bool = False) -> str:
    """Return the name of the file of previous contents of a segment: JSON lines, compressed and perhaps encrypted."""
    return f"{number:08}.jsonl.gz{SEALED if sealed else ''}"


@dataclass(frozen=True, order=True, slots=True)
class Member:
    """The place of one object in a tarball; `namespace` is "" for a cluster-scoped object."""

    group_resource: str
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """Return the member's path."""
        scope = f"namespaces/{self.namespace}" if self.namespace else "cluster"
        return f"resources/{self.group_resource}/{scope}/{self.name}.json"


NEW_NAME = 200
"""Most characters of the name of a new backup or restore: its files have it in their names, with endings of up to 35
(`-csi-volumesnapshotcontents.json.gz` is Velero's), and a file's name has at most 255 bytes (NAME_MAX of Linux)."""


def backup_name(asked: str, namespaces: list[str], now: datetime) -> str:
    """Return the name of a new backup: `asked`, or one generated from the namespace and the time.

    Raises:
        UsageError: `asked` is not a valid name, or is too long for the names of its files.
    """
    if asked:
        if len(asked) > NEW_NAME:
            raise UsageError(
                f"the name {asked[:40]!r}… has {len(asked)} characters: give one of at most {NEW_NAME}, since files "
                "are named after it, and names of files end at 255 bytes"
            )
        return check_name(asked)
    what = namespaces[0] if len(namespaces) == 1 else f"{len(namespaces)}-namespaces"
    ending = f"-{now:%Y%m%d-%H%M%S}"
    return f"{file_stem(what, NEW_NAME - len(ending))}{ending}"


STEM = 200
"""Bytes of a name that becomes part of a file's name: it leaves room for a number and an ending."""
_DIGEST = 16


def file_stem(name: str, most: int = STEM) -> str:
    """Return a name as the beginning of a file's name; one of more than `most` bytes is cut and ends with a digest.

    `name` is that of a type (`boxes.example.com`) or of a backup: ASCII, and no `/`. Both have up to 253 characters.
    """
    if len(name) <= most:
        return name
    return f"{name[: most - _DIGEST - 1].rstrip('.-')}-{hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]}"


def alike(name: str) -> Iterator[str]:
    """Yield a generated name and alternatives, for what starts in the same second."""
    yield name
    yield from (f"{name}-{number}" for number in count(2))


def check_name(name: str) -> str:
    """Return `name` if it is valid for a backup or a restore.

    Raises:
        UsageError: it is not a DNS subdomain, which names of Kubernetes objects and of our folders must be.
    """
    if not _NAME.fullmatch(name) or ".." in name:
        raise UsageError(f"{name[:80]!r} is not a valid name: lower-case letters, digits, '-' and '.' only")
    return name


LONGEST = 1024
"""Bytes of UTF-8: S3's limit ("Naming Amazon S3 objects")."""

UNSHOWN = {"Cc", "Cs"}
"""Unicode categories: control characters (NUL among them) and lone surrogates, which UTF-8 cannot encode."""


def flaw(key: str) -> str:
    """Return why `key` is invalid; "" if it is valid."""
    if not 0 < len(key.encode(errors="surrogatepass")) <= LONGEST:
        return f"it is empty or longer than {LONGEST} bytes"
    if {"", ".", ".."} & set(key.split("/")):
        return "it has an empty, '.' or '..' segment"
    if "\\" in key:
        return "it has a backslash"
    if any(unicodedata.category(char) in UNSHOWN for char in key):
        return "it has a control character or is not Unicode"
    return ""


def check_key(key: str) -> str:
    """Return `key` if it is valid.

    Raises:
        UsageError: it is not valid; the message says why.
    """
    if why := flaw(key):
        raise UsageError(f"the key {key[:200]!r} is refused: {why}")
    return key


def check_folder(prefix: str) -> str:
    """Return the folder `prefix` with a trailing `/`, or "" for the root.

    Raises:
        UsageError: as `check_key` does.
    """
    return check_key(prefix.removesuffix("/")) + "/" if prefix else ""


VERSION_FILE = "metadata/version"
"""The file with the version of the tarball's format."""

READ_VERSION = "1"
"""The major version that is supported: Velero writes `1` and `1.1.0`."""

_LONGEST_LINE = 20

_RESOURCE = re.compile(r"[a-z0-9]([-a-z0-9.]{0,315}[a-z0-9])?")
"""A plural, and perhaps a dot and a group: a DNS label and a DNS subdomain (RFC 1123)."""


def parse_member(path: str) -> Member | None:
    """Return the place of the object at a path of a tarball.

    None for what a reader ignores: `metadata/...`, and Velero's copies under `VERSION-preferredversion`.

    Raises:
        DamagedError: the path is not of this layout: `..`, an absolute path or invalid characters. The message is the
            cause alone, as in all functions here.
    """
    match _parts(path.removeprefix("./"), path):
        case ["metadata", *_]:
            return None
        case ["resources", gr, "cluster", file] if _is_object(gr, file):
            return Member(intern(gr), "", file.removesuffix(".json"))
        case ["resources", gr, "namespaces", name, file] if _is_object(gr, file) and NAMESPACE.fullmatch(name):
            return Member(intern(gr), intern(name), file.removesuffix(".json"))
        case ["resources", _, _, "cluster", _] | ["resources", _, _, "namespaces", _, _]:
            return None
    raise _refused(path)


def check_folder_path(path: str) -> None:
    """Check the path of a directory, which some programs add to a tarball; it is otherwise ignored.

    Raises:
        DamagedError: it is absolute, or contains `..` or invalid characters.
    """
    if path.rstrip("/") != ".":
        _parts(path.removeprefix("./").removesuffix("/"), path)


def check_version(data: bytes) -> None:
    """Check the content of VERSION_FILE.

    Raises:
        DamagedError: the version is not supported.
    """
    version = data[:_LONGEST_LINE].decode(errors="replace").strip()
    if version.partition(".")[0] != READ_VERSION:
        raise DamagedError(f"is of format {version!r}, this Kubeferry reads {READ_VERSION}")


def _parts(path: str, written: str) -> list[str]:
    parts = path.split("/")
    if not all(map(is_segment, parts)):
        raise _refused(written)
    return parts


def _is_object(group_resource: str, file: str) -> bool:
    named = file.endswith(".json") and is_segment(file.removesuffix(".json"))
    return named and _RESOURCE.fullmatch(group_resource) is not None


def _refused(path: str) -> DamagedError:
    return DamagedError(f"holds a path that is not allowed in an archive: {path[:200]!r}")
