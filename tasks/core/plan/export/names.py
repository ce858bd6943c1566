"""The names of exported files: legal on every file system, different where the objects differ, in the order that works.

A path is LEVEL-PRIORITY/KIND/NAME.yaml, with the namespace before the name where there are several. Read in
alphabetical order, as `kubectl apply --recursive` does, every file comes after those that it needs.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from kubeferry.tasks.core.kube.kinds import is_built_in

if TYPE_CHECKING:
    from kubeferry.tasks.core.kube.objects import Ref

LONGEST = 150
"""Characters of one part of a path: file systems end at 255 bytes, and encoded characters take three."""

_ILLEGAL = re.compile(r"[^a-z0-9._-]")
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)")
"""Names that Windows keeps for devices, also with an ending."""


def segment(text: str) -> str:
    """Return a text as one part of a path; different texts have different parts, also where case does not count.

    Upper-case letters and what is not legal everywhere become `%XX` (UTF-8). A long part ends with a digest.
    """
    legal = _ILLEGAL.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode(errors="replace")), text)
    if legal.startswith(".") or _DEVICES.match(legal):
        legal = f"%{ord(legal[0]):02X}{legal[1:]}"
    if legal.endswith("."):
        legal = f"{legal[:-1]}%2E"
    if len(legal) <= LONGEST:
        return legal
    return f"{legal[:LONGEST].rstrip('%.')}-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:12]}"


def folder(ref: Ref) -> str:
    """Return the folder of a kind: `configmap`, `deployment`, `certificate.cert-manager.io`."""
    return segment((ref.kind if is_built_in(ref.group) else ref.type).lower())


def path(ref: Ref, level: str, *, spaces: bool) -> str:
    """Return the path of an object's file.

    Args:
        ref: the object.
        level: the folder of its level, `02-config`.
        spaces: whether there are objects of several namespaces.
    """
    inside = [segment(ref.namespace)] if spaces and ref.namespace else []
    return "/".join([level, folder(ref), *inside, f"{segment(ref.name)}.yaml"])


def levels(phases: list[str]) -> list[str]:
    """Return the folders of levels, numbered so that their alphabetical order is the order of the levels.

    The first two are those of namespaces and of definitions, which come before all levels.
    """
    names = ["namespaces", "definitions", *phases]
    width = max(2, len(str(len(names) - 1)))
    return [f"{number:0{width}}-{name}" for number, name in enumerate(names)]
