"""The bundle of a restore: a namespaced custom resource that owns the roots of what was created, and lists it all.

`kubectl delete bundle NAME` removes the group by garbage collection (kubernetes.io: "Garbage collection");
`kubeferry delete NAME` in reverse order, with waits. What was there before is in no bundle.

Who may write bundles may list anything in one. What belongs to a bundle therefore shows on the object itself, written
by who created it: an ownerReference to the bundle, or a field manager that names it. Both hold the bundle's uid, which
the API server gives and nobody can choose. (claims.py)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import Object, get, group_of
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.resources import ResourceType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

GROUP, VERSION, KIND = "kubeferry.io", "v1alpha1", "Bundle"
API_VERSION = f"{GROUP}/{VERSION}"
BUNDLES = ResourceType(GROUP, VERSION, KIND, "bundles", namespaced=True)
STATUS = replace(BUNDLES, resource="bundles/status")
"""Only for questions about rights: who may write the one may not always write the other."""
RIGHTS = (("create", BUNDLES), ("get", BUNDLES), ("patch", STATUS))
"""What a restore must be allowed to do with them in each namespace."""
DEFINITION = Ref("apiextensions.k8s.io", "CustomResourceDefinition", "", f"bundles.{GROUP}")

RESTORING = "Restoring"
"""The phase of a bundle before its restore has ended."""

PART = f"{GROUP}/bundle"
"""The label of every bundle, with the name of the first of its parts."""

MEMBERS, LETTERS = 5000, 1_000_000
"""Members of one object, and letters of theirs: far below what etcd takes (1.5 MiB). More go into further parts."""


@dataclass(frozen=True, order=True, slots=True)
class Member:
    """One object, by its uid, in a level of a plan."""

    level: int
    ref: Ref
    uid: str


def owner(name: str, uid: str) -> dict[str, str]:
    """Return the ownerReference of a root."""
    return {"apiVersion": API_VERSION, "kind": KIND, "name": name, "uid": uid}


def is_bundle(owner_reference: Mapping[str, Any]) -> bool:
    """Return whether an ownerReference names a bundle."""
    return (group_of(str(owner_reference.get("apiVersion"))), owner_reference.get("kind")) == (GROUP, KIND)


def maker(manager: str, uid: str) -> str:
    """Return the field manager of what a restore, whose own is `manager`, creates for the bundle with this uid."""
    return f"{manager}@{uid}"


def made_for(live: Object) -> frozenset[str]:
    """Return the uids of the bundles that the field managers of an object name."""
    managers = (str(each.get("manager")) for each in live["metadata"].get("managedFields") or ())
    return frozenset(match[1] for match in map(_MAKER.fullmatch, managers) if match)


_MAKER = re.compile(r"kubeferry-[0-9a-f]{12}@(\S+)", re.ASCII)


def bundle(namespace: str, name: str, backup: str, store: str, now: datetime) -> Object:
    """Return the bundle to create in a namespace of the target."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace, "labels": {PART: label(name)}},
        "spec": {"restore": name, "backup": backup, "store": store, "started": now.isoformat(timespec="seconds")},
    }


def label(name: str) -> str:
    """Return a bundle's name as the value of a label, which holds 63 characters."""
    return name[:63].rstrip("-.")


def parts(name: str, phase: str, members: Iterable[Member]) -> list[tuple[str, dict[str, Any]]]:
    """Return name and status of each part of a bundle; there is always a first one, of the bundle's own name."""
    chunks = list(_chunks(sorted(members))) or [[]]
    names = [name, *(f"{name}-part-{number}" for number in range(2, len(chunks) + 1))]
    return [
        (named, {"phase": phase, "members": len(chunk), "levels": _levels(chunk)})
        for named, chunk in zip(names, chunks, strict=True)
    ]


def _chunks(rows: list[Member]) -> Iterator[list[Member]]:
    chunk: list[Member] = []
    letters = 0
    for row in rows:
        size = len(str(row.ref)) + len(row.uid)
        if chunk and (len(chunk) == MEMBERS or letters + size > LETTERS):
            yield chunk
            chunk, letters = [], 0
        chunk.append(row)
        letters += size
    if chunk:
        yield chunk


def _levels(members: list[Member]) -> list[dict[str, Any]]:
    levels: dict[int, list[dict[str, str]]] = {}
    for each in members:
        entry = {"object": str(each.ref), "uid": each.uid}
        levels.setdefault(each.level, []).append(entry)
    return [{"level": level, "objects": objects} for level, objects in sorted(levels.items())]


def members_of(live: Object) -> tuple[list[Member], list[str]]:
    """Return what a part of a bundle on a cluster lists: the members, and what is no name of an object.

    Who may write there may have listed anything: see claims.py.
    """
    members: list[Member] = []
    nameless: list[str] = []
    for level in get(live, "status", "levels") or ():
        for each in level["objects"]:
            try:
                members.append(Member(int(level["level"]), Ref.parse(each["object"]), str(each["uid"])))
            except ValueError:
                nameless.append(str(each["object"])[:200])
    return members, nameless


def definition() -> Object:
    """Return the definition of bundles (apiextensions.k8s.io/v1)."""
    text, number = {"type": "string"}, {"type": "integer"}
    member = {"type": "object", "required": ["object", "uid"], "properties": {"object": text, "uid": text}}
    level = {"level": number, "objects": {"type": "array", "items": member}}
    levels = {"type": "array", "items": {"type": "object", "required": ["level", "objects"], "properties": level}}
    spec = {"restore": text, "backup": text, "store": text, "started": text}
    status = {"phase": text, "members": number, "levels": levels}
    # A status given with the object is dropped by the API server, so what is new has its status by default.
    begun = {"type": "object", "properties": status, "default": parts("", RESTORING, ())[0][1]}
    schema = {
        "type": "object",
        "description": "What one restore of Kubeferry created in this namespace. Deleting it deletes that.",
        "properties": {
            "spec": {"type": "object", "properties": spec},
            "status": begun,
        },
    }
    columns = [("Backup", "string", ".spec.backup"), ("Phase", "string", ".status.phase")]
    columns += [("Members", "integer", ".status.members"), ("Age", "date", ".metadata.creationTimestamp")]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": DEFINITION.name},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"kind": KIND, "listKind": f"{KIND}List", "plural": "bundles", "singular": "bundle"},
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema},
                    "additionalPrinterColumns": [
                        {"name": name, "type": kind, "jsonPath": path} for name, kind, path in columns
                    ],
                }
            ],
        },
    }


CRDS = ResourceType("apiextensions.k8s.io", "v1", DEFINITION.kind, "customresourcedefinitions", namespaced=False)
