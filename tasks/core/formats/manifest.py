"""Our manifest: what a backup holds, by digest, what it left out and why, and how much of it is one point in time.

It stands beside the tarball and is read back as untrusted input: pydantic refuses what is not of this shape.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, StringConstraints, ValidationError

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.keys import flaw
from kubeferry.tasks.core.formats.layout import FORMAT, BackupKeys
from kubeferry.tasks.core.formats.records import LeftOut, Model, Phase, Problem, PulledIn

M = TypeVar("M", bound="Model")


class Selected(Model):
    """What was asked for of a backup's namespaces, in one line, and what came of it.

    `warnings` tells what is needed and not in because it was asked so, or could not be looked at, and what was asked
    for and matches nothing. `options` are the backup's options that said so: who compares it with what is there now
    knows by them what it would take.
    """

    asked: str
    options: dict[str, Any] = {}
    pulled_in: list[PulledIn] = []
    warnings: list[Problem] = []


Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
"""SHA-256 in hex."""

Count = Annotated[int, Field(ge=0)]


class Digest(Model):
    """A file's content: SHA-256 in hex, size in bytes."""

    sha256: Sha256
    size: Count


class Source(Model):
    """The cluster that was backed up; `uid` is that of its namespace kube-system."""

    uid: str
    version: str
    context: str
    host: str


class Encryption(Model):
    """How the files whose keys end in `.age` are encrypted, and to whose public keys; any one of these opens them."""

    format: Literal["age-encryption.org/v1"] = "age-encryption.org/v1"
    recipients: list[str] = Field(min_length=1)


class Manifest(Model):
    """The content of `kubeferry-manifest.json.gz`.

    `objects` maps each tarball path to the SHA-256 (hex) of its bytes, `files` each other file of the backup to its
    digest. `not_at_revision` names the types that could not be read at `revision`,
    `bindings` counts the uses of the cluster's values, by class,
    `not_indexed` names the types that could not be looked at for addresses that saved objects may name.
    `selection` is there for a backup of some of what its namespaces hold.
    `encryption` is there for an encrypted backup: then `objects`, `left_out` and what was selected are not here, see
    contents.py.
    """

    format: str = FORMAT
    name: str
    kubeferry: str
    created: Annotated[datetime, Field(strict=False)]  # in JSON it is a text
    source: Source
    revision: str
    not_at_revision: dict[str, str] = {}
    not_indexed: dict[str, str] = {}
    namespaces: list[str]
    phase: Annotated[Phase, Field(strict=False)]
    counts: dict[str, Count]
    bindings: dict[str, Count] = {}
    objects: dict[str, Sha256]
    files: dict[str, Digest]
    left_out: list[LeftOut] = []
    problems: list[Problem] = []
    selection: Selected | None = None
    encryption: Encryption | None = None


def digest(data: bytes) -> Digest:
    """Return the digest of `data`."""
    return Digest(sha256=hashlib.sha256(data).hexdigest(), size=len(data))


def checked(model: type[M], data: Any, name: str, what: str) -> M:
    """Return decoded JSON as one of our files; `what` names it, as part of backup `name`, in messages.

    Raises:
        DamagedError: wrong shape, or another format.
    """
    found = data.get("format") if isinstance(data, dict) else None
    if found != FORMAT:
        raise DamagedError(f"backup {name}: its {what} is of format {str(found)[:80]!r}, this Kubeferry reads {FORMAT}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:200]
        raise DamagedError(f"backup {name}: its {what} is damaged at {where!r}: {first['msg']}") from None


def parse_manifest(data: Any, name: str) -> Manifest:
    """Return the manifest in decoded JSON, which must be that of backup `name`.

    Raises:
        DamagedError: wrong shape, another format or another backup's, or it names files that no backup of it can have.
    """
    manifest = checked(Manifest, data, name, "manifest")
    if manifest.name != name:
        raise DamagedError(f"backup {name}: its manifest is that of backup {manifest.name[:80]!r}")
    keys = BackupKeys(name, sealed=manifest.encryption is not None)
    needed = {keys.tarball} | ({keys.contents} if keys.sealed else set())
    strangers = [key for key in manifest.files if not _is_own(key, keys)]
    if strangers or needed - manifest.files.keys():
        raise DamagedError(f"backup {name}: its manifest does not name the files of this backup")
    return manifest


def _is_own(key: str, keys: BackupKeys) -> bool:
    """Return whether a key is of a file right in the folder of the backup."""
    file = key.removeprefix(keys.folder)
    return file != key and "/" not in file and not flaw(key)
