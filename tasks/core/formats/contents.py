"""What an encrypted backup tells only to who has a key: the names of its objects, and the digests of their content.

From a plain digest of a Secret its value can be guessed, try by try, and names of objects tell much; so the manifest of
an encrypted backup, which anybody may read, has neither. They stand in an encrypted file of their own. What stays
readable proves each file as it is stored: that nothing is missing or changed is verified without a key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.layout import FORMAT
from kubeferry.tasks.core.formats.manifest import Encryption, Selected, Sha256, checked
from kubeferry.tasks.core.formats.records import LeftOut, Model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.formats.manifest import Manifest

HIDDEN = "hidden, since it is encrypted"
"""What the readable part of a manifest tells of a selection."""


class Contents(Model):
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
