r"""Where everything of a backup stands in a store and in a tarball: the one place where such a key is built or read.

The layout is Velero's (its docs: output file format, and internal/storage layout), with our own files beside Velero's
inside `backups/NAME/`. A path that is read from an archive is looked at by members.py.

What may be a key of a store: a relative POSIX path such as `backups/shop/velero-backup.json`.

Keys come from users, and from stores that others may write to. Refused is what could leave the root of a store or of a
folder on disk, and what no line of text can show: `..`, an absolute path, an empty segment, `\`, control characters.

What a path inside a tarball says: the place of an object, something to pass over, or nothing that an archive holds.

The layout is Velero's (its docs: output file format). Nobody vouches for a path that is read from an archive: what is
not exactly of this form is refused, and a name that Kubernetes could not have given is, too.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import DamagedError, UsageError
from kubeferry.tasks.core.kube.objects import NAMESPACE, is_segment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


FORMAT = "kubeferry.io/v1"
"""The version of our own files; a reader refuses any other with a message that names both."""

ROOT = "backups"
RESTORES = "restores"
"""Where Velero keeps the logs of restores, too; it lists neither folder for what it does not know."""
VELERO_FORMAT = "1"

SEALED = ".age"
"""How the keys of encrypted files end; Velero looks for none of them."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
"""A DNS subdomain (RFC 1123): what Velero's Backup objects may be called."""

_FORMER = re.compile(r"[0-9]{8}\.jsonl\.gz(\.age)?")


@dataclass(frozen=True, slots=True)
class BackupKeys:
    """The keys of one backup's files in a store; `sealed` are those of an encrypted one."""

    name: str
    sealed: bool = False

    @property
    def folder(self) -> str:
        """Return the prefix of all its files."""
        return f"{ROOT}/{self.name}/"

    @property
    def metadata(self) -> str:
        """Return the key of the Backup object: written last, so that its presence means a whole backup."""
        return f"{self.folder}velero-backup.json"

    @property
    def tarball(self) -> str:
        """Return the key of the objects' archive."""
        return self._held(f"{self.name}.tar.gz")

    @property
    def manifest(self) -> str:
        """Return the key of our manifest: digests of each object and file, what was left out and why."""
        return f"{self.folder}kubeferry-manifest.json.gz"

    @property
    def links(self) -> str:
        """Return the key of what re-linking needs: uids, owners and addresses, a JSON line an object."""
        return self._held("kubeferry-links.jsonl.gz")

    @property
    def reservation(self) -> str:
        """Return the key that a run holds while it writes this backup, so that two runs never mix their files."""
        return f"{self.folder}kubeferry-writing.json"

    @property
    def bindings(self) -> str:
        """Return the key of the uses of the old cluster's values, a JSON line each."""
        return self._held("kubeferry-bindings.jsonl.gz")

    @property
    def contents(self) -> str:
        """Return the key of what an encrypted backup's manifest does not tell: names and digests of its objects."""
        return f"{self.folder}kubeferry-contents.json.gz{SEALED}"

    def velero(self, what: str) -> str:
        """Return the key of one of Velero's optional files: `logs`, or `resource-list.json` and the like."""
        return f"{self.folder}{self.name}-{what}.gz"

    def _held(self, file: str) -> str:
        return f"{self.folder}{file}{SEALED if self.sealed else ''}"


@dataclass(frozen=True, slots=True)
class _RecordKeys:
    """The keys of what is kept of one restore or migration."""

    name: str

    @property
    def folder(self) -> str:
        """Return the prefix of all its files."""
        return f"{RESTORES}/{self.name}/"


@dataclass(frozen=True, slots=True)
class RestoreKeys(_RecordKeys):
    """The keys of what is kept of one restore."""

    @property
    def header(self) -> str:
        """Return the key of what was asked for; it is written first and takes the name."""
        return f"{self.folder}kubeferry-restore.json"

    @property
    def journal(self) -> str:
        """Return the prefix of the journal's segments."""
        return f"{self.folder}kubeferry-journal/"

    def segment(self, number: int) -> str:
        """Return the key of a segment of the journal: JSON lines; numbers count from 1."""
        return f"{self.journal}{number:08}.jsonl"

    def former(self, file: str) -> str:
        """Return the key of a file of former contents, by the name that the journal gives it.

        Raises:
            DamagedError: a name that no journal gives.
        """
        if not _FORMER.fullmatch(file):
            raise DamagedError(f"restore {self.name}: its journal names the file {file[:80]!r}, which it cannot have")
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
    def ends(self) -> str:
        """Return the prefix of the ends of its namespaces."""
        return f"{self.folder}kubeferry-migration-ends/"

    def end(self, namespace: str) -> str:
        """Return the key of the end of one namespace."""
        return f"{self.ends}{namespace}.json"


def former_file(number: int, *, sealed: bool = False) -> str:
    """Return the name of the file of former contents that goes with a segment: gzip of JSON lines, maybe encrypted."""
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


def backup_name(asked: str, namespaces: list[str], now: datetime) -> str:
    """Return the name of a new backup: the one asked for, or one made from the namespace and the time.

    Raises:
        UsageError: the name asked for cannot be one.
    """
    if asked:
        return check_name(asked)
    what = namespaces[0] if len(namespaces) == 1 else f"{len(namespaces)}-namespaces"
    return f"{what}-{now:%Y%m%d-%H%M%S}"


def alike(name: str) -> Iterator[str]:
    """Yield a made-up name and further ones, for what begins in the same second."""
    yield name
    yield from (f"{name}-{number}" for number in count(2))


def check_name(name: str) -> str:
    """Return `name`, which may be a backup's or a restore's.

    Raises:
        UsageError: it is not a DNS subdomain, so no Kubernetes object, and no folder of ours, may have it.
    """
    if not _NAME.fullmatch(name) or ".." in name:
        raise UsageError(f"{name[:80]!r} cannot be a name: lower-case letters, digits, '-' and '.' only")
    return name


LONGEST = 1024
"""Bytes of UTF-8: S3's limit ("Naming Amazon S3 objects")."""

UNSHOWN = {"Cc", "Cs"}
"""Unicode categories: control characters (NUL among them) and lone surrogates, which UTF-8 cannot carry."""


def flaw(key: str) -> str:
    """Say why no store may hold `key`; "" when it may."""
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
    """Return `key` if a store may hold it.

    Raises:
        UsageError: it may not; the message says why.
    """
    if why := flaw(key):
        raise UsageError(f"the key {key[:200]!r} is refused: {why}")
    return key


def check_folder(prefix: str) -> str:
    """Return the folder `prefix` with one `/` at its end, or "" for the root.

    Raises:
        UsageError: as `check_key` does.
    """
    return check_key(prefix.removesuffix("/")) + "/" if prefix else ""


VERSION_FILE = "metadata/version"
"""Holds the version of the tarball's format."""

READ_VERSION = "1"
"""The version that is read, whatever comes after its first dot: Velero writes `1` and `1.1.0`."""

_LONGEST_LINE = 20

_RESOURCE = re.compile(r"[a-z0-9]([-a-z0-9.]{0,315}[a-z0-9])?")
"""A plural, and perhaps a dot and a group: a label of 63 characters and a subdomain of 253 (RFC 1123)."""


def parse_member(path: str) -> Member | None:
    """Return the object's place that a tarball path names.

    None for what a reader passes over: `metadata/...`, and Velero's copies under `VERSION-preferredversion`.

    Raises:
        DamagedError: the path leaves the archive's layout, with `..`, an absolute path or strange characters. The
            message is the cause alone, as for all here.
    """
    match _parts(path.removeprefix("./"), path):
        case ["metadata", *_]:
            return None
        case ["resources", gr, "cluster", file] if _is_object(gr, file):
            return Member(gr, "", file.removesuffix(".json"))
        case ["resources", gr, "namespaces", space, file] if _is_object(gr, file) and NAMESPACE.fullmatch(space):
            return Member(gr, space, file.removesuffix(".json"))
        case ["resources", _, _, "cluster", _] | ["resources", _, _, "namespaces", _, _]:
            return None
    raise _refused(path)


def check_folder_path(path: str) -> None:
    """Look at the path of a folder, which some programs add to a tarball; nothing is made of it.

    Raises:
        DamagedError: it is absolute, or has `..` or strange characters in it.
    """
    if path.rstrip("/") != ".":
        _parts(path.removeprefix("./").removesuffix("/"), path)


def check_version(data: bytes) -> None:
    """Look at the content of VERSION_FILE.

    Raises:
        DamagedError: another version than this Kubeferry reads.
    """
    told = data[:_LONGEST_LINE].decode(errors="replace").strip()
    if told.partition(".")[0] != READ_VERSION:
        raise DamagedError(f"is of format {told!r}, this Kubeferry reads {READ_VERSION}")


def _parts(path: str, written: str) -> list[str]:
    parts = path.split("/")
    if not all(map(is_segment, parts)):
        raise _refused(written)
    return parts


def _is_object(group_resource: str, file: str) -> bool:
    named = file.endswith(".json") and is_segment(file.removesuffix(".json"))
    return named and _RESOURCE.fullmatch(group_resource) is not None


def _refused(path: str) -> DamagedError:
    return DamagedError(f"holds a path that no archive may hold: {path[:200]!r}")
