"""The bundle of a restore: a namespaced custom resource that owns the root objects and lists every created one.

A chart of the shape `bundle` installs one whose spec holds objects; a restore of it makes a bundle of its own.

`kubectl delete bundle NAME` deletes these objects by garbage collection (kubernetes.io: "Garbage collection");
`kubeferry delete NAME` deletes them in reverse order, and waits. Objects that existed before are in no bundle.

A user who may write bundles can list any object in one. So membership is proven by the object itself, in metadata that
the restore wrote: an ownerReference to the bundle, or a field manager that names it. Both contain the bundle's uid,
which the API server assigns and nobody can choose (core/deletion/authorization.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.edit import Object, get, group_of
from kubeferry.tasks.core.kube.objects import Ref, field_managers
from kubeferry.tasks.core.kube.resources import ResourceType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

GROUP, VERSION, KIND = "kubeferry.io", "v1alpha1", "Bundle"
API_VERSION = f"{GROUP}/{VERSION}"
BUNDLES = ResourceType(GROUP, VERSION, KIND, "bundles", namespaced=True)
STATUS = replace(BUNDLES, resource="bundles/status")
"""Only for checks of permissions: the right to write bundles does not include their status."""
RIGHTS = (("create", BUNDLES), ("get", BUNDLES), ("patch", STATUS))
"""The permissions for bundles that a restore needs in each namespace."""
DEFINITION = Ref("apiextensions.k8s.io", "CustomResourceDefinition", "", f"bundles.{GROUP}")

RESTORING = "Restoring"
"""The phase of a bundle while its restore is running."""

PART = f"{GROUP}/bundle"
"""The label of every part of a bundle: the name of the first part."""

BINDINGS = f"{GROUP}/bindings"
"""The annotation, of an object that a bundle holds, with its bindings as a JSON list (lookup/bindings.py, to_json)."""

MEMBERS, LETTERS = 5000, 1_000_000
"""The most members of one part, and the most characters of these: far below the limit of etcd (1.5 MiB)."""


@dataclass(frozen=True, order=True, slots=True)
class Member:
    """One object of a bundle: its level in the plan, its identity and its uid."""

    level: int
    ref: Ref
    uid: str


def owner(name: str, uid: str) -> dict[str, str]:
    """Return the ownerReference of a root object."""
    return {"apiVersion": API_VERSION, "kind": KIND, "name": name, "uid": uid}


def is_bundle(owner_reference: Mapping[str, Any]) -> bool:
    """Return whether an ownerReference names a bundle."""
    return (group_of(str(owner_reference.get("apiVersion"))), owner_reference.get("kind")) == (GROUP, KIND)


def maker(manager: str, uid: str) -> str:
    """Return the field manager for objects of the bundle with this uid, from the `manager` of its restore."""
    return f"{manager}@{uid}"


def made_for(live: Object) -> frozenset[str]:
    """Return the uids of the bundles that the field managers of a live object name."""
    managers = (str(each.get("manager")) for each in field_managers(live))
    return frozenset(match[1] for match in map(_MAKER.fullmatch, managers) if match)


_MAKER = re.compile(r"kubeferry-[0-9a-f]{12}@(\S+)", re.ASCII)


def bundle(namespace: str, name: str, backup: str, store: str, now: datetime) -> Object:
    """Return the bundle to create in a namespace of the target cluster."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace, "labels": {PART: label(name)}},
        "spec": {"restore": name, "backup": backup, "store": store, "started": now.isoformat(timespec="seconds")},
    }


def label(name: str) -> str:
    """Return a bundle's name as a label value, which has at most 63 characters."""
    return name[:63].rstrip("-.")


def parts(name: str, phase: str, members: Iterable[Member]) -> list[tuple[str, dict[str, Any]]]:
    """Return name and status of each part of a bundle; the first always exists and has the bundle's name."""
    chunks = list(_chunks(sorted(members))) or [[]]
    names = [name, *(f"{name}-part-{number}" for number in range(2, len(chunks) + 1))]
    return [
        (named, {"phase": phase, "members": len(chunk), "levels": _levels(chunk)})
        for named, chunk in zip(names, chunks, strict=True)
    ]


def _chunks(rows: list[Member]) -> Iterator[list[Member]]:
    chunk: list[Member] = []
    characters = 0
    for row in rows:
        size = len(str(row.ref)) + len(row.uid)
        if chunk and (len(chunk) == MEMBERS or characters + size > LETTERS):
            yield chunk
            chunk, characters = [], 0
        chunk.append(row)
        characters += size
    if chunk:
        yield chunk


def _levels(members: list[Member]) -> list[dict[str, Any]]:
    levels: dict[int, list[dict[str, str]]] = {}
    for each in members:
        entry = {"object": str(each.ref), "uid": each.uid}
        levels.setdefault(each.level, []).append(entry)
    return [{"level": level, "objects": objects} for level, objects in sorted(levels.items())]


def members_of(live: Object) -> tuple[list[Member], list[str]]:
    """Return what a live part of a bundle lists: its members, and entries that do not name an object.

    The list is untrusted: any user who may write bundles can change it (core/deletion/authorization.py).
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
    """Return the CustomResourceDefinition of bundles (apiextensions.k8s.io/v1)."""
    text, number = {"type": "string"}, {"type": "integer"}
    member = {"type": "object", "required": ["object", "uid"], "properties": {"object": text, "uid": text}}
    level = {"level": number, "objects": {"type": "array", "items": member}}
    levels = {"type": "array", "items": {"type": "object", "required": ["level", "objects"], "properties": level}}
    whole = {"x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}
    held = {"type": "array", "items": {"type": "object", **whole}}
    spec = {"restore": text, "backup": text, "store": text, "started": text, "objects": held}
    status = {"phase": text, "members": number, "levels": levels}
    # The API server drops the status of a create request, so a new bundle gets its status by default.
    begun = {"type": "object", "properties": status, "default": parts("", RESTORING, ())[0][1]}
    schema = {
        "type": "object",
        "description": (
            "What one restore of Kubeferry created in this namespace; deleting it deletes that. With spec.objects: what"
            " kubeferry restore --from-bundle NAMESPACE/NAME is to create."
        ),
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
