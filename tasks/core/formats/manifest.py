"""The manifest of a backup: its objects by digest, what is excluded, and what was not read at its revision.

It is stored beside the tarball and read back as untrusted input: pydantic refuses what does not have this shape.

The manifest of an encrypted backup is readable without a key, so it lists neither objects nor what is excluded: from a
plain digest of a Secret its value can be guessed by trial, and names of objects reveal much. These are in an encrypted
file of their own (`Contents`). The readable part still proves each file as stored: whether one is missing or changed is
verified without a key.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import Field, StringConstraints, ValidationError

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.layout import FORMAT, BackupKeys, flaw
from kubeferry.tasks.core.formats.losses import Loss
from kubeferry.tasks.core.formats.outside import Outside
from kubeferry.tasks.core.formats.records import LeftOut, Phase, Problem, PulledIn, StrictModel

if TYPE_CHECKING:
    from collections.abc import Iterable


M = TypeVar("M", bound="StrictModel")


class Selected(StrictModel):
    """The selection of a backup in one line, and its result.

    `warnings` lists what is needed and not included, because it is excluded or could not be read, and which terms of
    the selection match nothing. `options` are the backup's options that define the selection: a comparison with a live
    cluster selects by them again.
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
    """The source cluster; `uid` is that of its namespace kube-system."""

    uid: str
    version: str
    context: str
    host: str


class Encryption(StrictModel):
    """How the files that end in `.age` are encrypted, and to which public keys; any one of the secret keys decrypts."""

    format: Literal["age-encryption.org/v1"] = "age-encryption.org/v1"
    recipients: list[str] = Field(min_length=1)


class Manifest(StrictModel):
    """The content of `kubeferry-manifest.json.gz`.

    `objects` maps each tarball path to the SHA-256 (hex) of its bytes, `files` each other file of the backup to its
    digest. `not_at_revision` names the types that could not be read at `revision`, `not_indexed` the types that
    could not be searched for addresses that the backed-up objects may name. `plain_status` lists the types, as
    `GROUP/VERSION/KIND`, that have no status subresource, so that their status is plain data. `bindings` counts the
    uses of values that the cluster assigned, by class. `losses` are what is not in the backup as it was on the
    cluster. `selection` is set if the backup holds a part of its namespaces only. `encryption` is set if the backup
    is encrypted: then `objects`, `left_out`, `losses`, `outside` and the terms of the selection are in `Contents`.
    `outside` are the objects that are not of `namespaces`, each with the reason why it is carried. `asked` says in one
    line which namespaces were asked for, and `deployment` by which deployment of Prefect ("" without one, None before
    it was noted): the backups of a series have both in common, and the selection (`series_of`).
    """

    format: str = FORMAT
    name: str
    kubeferry: str
    created: Annotated[datetime, Field(strict=False)]  # a string in JSON
    source: Source
    revision: str
    not_at_revision: dict[str, str] = {}
    not_indexed: dict[str, str] = {}
    plain_status: list[str] = []
    namespaces: list[str]
    asked: str = ""
    deployment: str | None = None
    phase: Annotated[Phase, Field(strict=False)]
    counts: dict[str, Count]
    bindings: dict[str, Count] = {}
    objects: dict[str, Sha256]
    files: dict[str, Digest]
    left_out: list[LeftOut] = []
    problems: list[Problem] = []
    losses: list[Loss] = []
    outside: list[Outside] = []
    selection: Selected | None = None
    encryption: Encryption | None = None


def digest(data: bytes) -> Digest:
    """Return the digest of `data`."""
    return Digest(sha256=hashlib.sha256(data).hexdigest(), size=len(data))


def checked(model: type[M], data: Any, name: str, what: str) -> M:
    """Validate decoded JSON as one of our files; messages call it `what` of backup `name`.

    Raises:
        DamagedError: it has another shape or format.
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
    """Validate the decoded manifest, which must be that of backup `name`.

    Raises:
        DamagedError: it has another shape or format, is another backup's, or lists files that this backup cannot have.
    """
    manifest = checked(Manifest, data, name, "manifest")
    if manifest.name != name:
        raise DamagedError(f"backup {name}: its manifest is that of backup {manifest.name[:80]!r}")
    keys = BackupKeys(name, sealed=manifest.encryption is not None)
    needed = {keys.tarball} | ({keys.contents} if keys.sealed else set())
    foreign = [key for key in manifest.files if not _is_own(key, keys)]
    if foreign or needed - manifest.files.keys():
        raise DamagedError(f"backup {name}: its manifest does not name the files of this backup")
    return manifest


def _is_own(key: str, keys: BackupKeys) -> bool:
    """Return whether a key is that of a file directly in the folder of the backup."""
    file = key.removeprefix(keys.folder)
    return file != key and "/" not in file and not flaw(key)


HIDDEN = "hidden, since it is encrypted"
"""What the readable part of a manifest shows instead of a selection."""


def named(namespaces: Iterable[str]) -> str:
    """Return what is `asked` when namespaces are asked for by name."""
    return " ".join(sorted(set(namespaces)))


def _hidden(asked: str) -> str:
    return f"{HIDDEN} ({hashlib.sha256(asked.encode()).hexdigest()[:16]})" if asked else ""


UNKNOWN = "?"
"""The deployment of a backup that does not say it."""


def series_of(manifest: Manifest) -> tuple[str, str, str, str]:
    """Return what all backups of a series have in common: cluster, asked namespaces, selection and deployment.

    It is what was asked for, and not what there was: a namespace that is new does not begin a series. Backups that do
    not say it are of the namespaces that they have, and their deployment is `UNKNOWN`.
    """
    selection = manifest.selection.asked if manifest.selection else ""
    asked = manifest.asked or named(manifest.namespaces)
    deployment = UNKNOWN if manifest.deployment is None else manifest.deployment
    return (manifest.source.uid or manifest.source.host, asked, selection, deployment)


class Contents(StrictModel):
    """The content of `kubeferry-contents.json.gz.age`; the fields are those of a manifest that is not encrypted."""

    format: str = FORMAT
    name: str
    objects: dict[str, Sha256]
    left_out: list[LeftOut]
    losses: list[Loss] = []
    outside: list[Outside] = []
    selection: Selected | None = None


def divided(manifest: Manifest, recipients: Iterable[str]) -> tuple[Manifest, Contents]:
    """Return the readable part of a manifest, and the part to encrypt to `recipients`."""
    hidden = Contents(
        name=manifest.name,
        objects=manifest.objects,
        left_out=manifest.left_out,
        losses=manifest.losses,
        outside=manifest.outside,
        selection=manifest.selection,
    )
    encryption = Encryption(recipients=list(recipients))
    # That there is a selection stays visible: prune must not take this for a backup of everything.
    selection = Selected(asked=HIDDEN) if manifest.selection else None
    # Namespaces are named in the readable part, but not those that were excluded, nor selectors.
    asked = manifest.asked if manifest.asked == named(manifest.namespaces) else _hidden(manifest.asked)
    emptied: dict[str, Any] = {"objects": {}, "left_out": [], "losses": [], "outside": [], "asked": asked}
    head = manifest.model_copy(update=emptied | {"selection": selection, "encryption": encryption})
    return head, hidden


def joined(manifest: Manifest, contents: Contents) -> Manifest:
    """Return the complete manifest of an encrypted backup."""
    hidden = {field: getattr(contents, field) for field in ("objects", "left_out", "losses", "outside", "selection")}
    return manifest.model_copy(update=hidden)


def parse_contents(data: Any, name: str) -> Contents:
    """Validate the decoded contents, which must be those of backup `name`.

    Raises:
        DamagedError: they have another shape or format, or are another backup's.
    """
    contents = checked(Contents, data, name, "list of contents")
    if contents.name != name:
        raise DamagedError(f"backup {name}: its list of contents is that of another backup")
    return contents
