"""Our manifest: what a backup holds, by digest, what it left out and why, and how much of it is one point in time.

It stands beside the tarball and is read back as untrusted input: pydantic refuses what is not of this shape.

What an encrypted backup tells only to who has a key: the names of its objects, and the digests of their content.

From a plain digest of a Secret its value can be guessed, try by try, and names of objects tell much; so the manifest of
an encrypted backup, which anybody may read, has neither. They stand in an encrypted file of their own. What stays
readable proves each file as it is stored: that nothing is missing or changed is verified without a key.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import Field, StringConstraints, ValidationError

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.layout import FORMAT, BackupKeys, flaw
from kubeferry.tasks.core.formats.records import LeftOut, Phase, Problem, PulledIn, StrictModel

if TYPE_CHECKING:
    from collections.abc import Iterable


M = TypeVar("M", bound="StrictModel")


class Selected(StrictModel):
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


class Digest(StrictModel):
    """A file's content: SHA-256 in hex, size in bytes."""

    sha256: Sha256
    size: Count


class Source(StrictModel):
    """The cluster that was backed up; `uid` is that of its namespace kube-system."""

    uid: str
    version: str
    context: str
    host: str


class Encryption(StrictModel):
    """How the files whose keys end in `.age` are encrypted, and to whose public keys; any one of these opens them."""

    format: Literal["age-encryption.org/v1"] = "age-encryption.org/v1"
    recipients: list[str] = Field(min_length=1)


class Manifest(StrictModel):
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


HIDDEN = "hidden, since it is encrypted"
"""What the readable part of a manifest tells of a selection."""


class Contents(StrictModel):
    """The content of `kubeferry-contents.json.gz.age`; the fields are those of a manifest that is not encrypted."""

    format: str = FORMAT
    name: str
    objects: dict[str, Sha256]
    left_out: list[LeftOut]
    selection: Selected | None = None


def divided(manifest: Manifest, recipients: Iterable[str]) -> tuple[Manifest, Contents]:
    """Return the readable part of a manifest, and the part to encrypt to `recipients`."""
    hidden = Contents(
        name=manifest.name, objects=manifest.objects, left_out=manifest.left_out, selection=manifest.selection
    )
    encryption = Encryption(recipients=list(recipients))
    # That it is a selection is told, and not which: prune must not take it for a backup of everything.
    selection = Selected(asked=HIDDEN) if manifest.selection else None
    told = manifest.model_copy(update={"objects": {}, "left_out": [], "selection": selection, "encryption": encryption})
    return told, hidden


def joined(manifest: Manifest, contents: Contents) -> Manifest:
    """Return the whole manifest of an encrypted backup."""
    told = {"objects": contents.objects, "left_out": contents.left_out, "selection": contents.selection}
    return manifest.model_copy(update=told)


def parse_contents(data: Any, name: str) -> Contents:
    """Return the contents in decoded JSON, which must be those of backup `name`.

    Raises:
        DamagedError: wrong shape, another format or another backup's.
    """
    contents = checked(Contents, data, name, "list of contents")
    if contents.name != name:
        raise DamagedError(f"backup {name}: its list of contents is that of another backup")
    return contents
