"""What a path inside a tarball says: the place of an object, something to pass over, or nothing that an archive holds.

The layout is Velero's (its docs: output file format). Nobody vouches for a path that is read from an archive: what is
not exactly of this form is refused, and a name that Kubernetes could not have given is, too.
"""

from __future__ import annotations

import re

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.layout import Member
from kubeferry.tasks.core.kube.objects import NAMESPACE, is_segment

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


def check_folder(path: str) -> None:
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
