"""Check an object's fields against an API server's schema, to find what a create would refuse or drop.

The schemas are those of `/openapi/v3/…` (OpenAPI 3.0, with references to each other). Types and names of fields are
checked, and only where a schema is definite: null is always accepted, and so is a field that allows several types
(quantities, ports by name or number). An unknown field is not refused: servers drop it. Everything else is left to the
API server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kubeferry.tasks.core.kube.schemas.structural import META, PRESERVE
from kubeferry.tasks.core.kube.strings import pointer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object, Place

Schema = dict[str, Any]

KINDS = "x-kubernetes-group-version-kind"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
SEVERAL = ("oneOf", "anyOf", "x-kubernetes-int-or-string")
"""Keywords of a schema that allow several types."""

TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int, float),
    "number": (int, float),
}
"""Type of a schema → the types of decoded JSON; that a bool is an int is true in Python only."""

CALLED: Mapping[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
}


class Misfit(NamedTuple):
    """A field whose type differs from its schema: JSON pointer (RFC 6901), and both types as OpenAPI names them."""

    pointer: str
    wanted: str
    has: str


class Unknown(NamedTuple):
    """A field that an object has and its schema has not: JSON pointer, and its value."""

    pointer: str
    value: Any


class Schemas:
    """The schemas of one API group and version."""

    def __init__(self, document: Any) -> None:
        """Read the decoded document; one of another shape has no schemas."""
        found = document.get("components") if isinstance(document, dict) else None
        listed = found.get("schemas") if isinstance(found, dict) else None
        self._all: dict[str, Schema] = listed if isinstance(listed, dict) else {}
        self._kinds = {kind: schema for schema in self._all.values() for kind in _kinds(schema)}

    def of_kind(self, api_version: str, kind: str) -> Schema | None:
        """Return the schema of a kind, its references not followed; None where it has none."""
        return self._kinds.get((api_version, kind))

    def schema_errors(self, obj: Object) -> Iterator[Misfit]:
        """Yield the fields of `obj` whose type its kind does not allow; nothing for a kind without a schema."""
        return (each for each in self.faults(obj) if isinstance(each, Misfit))

    def faults(self, obj: Object) -> Iterator[Misfit | Unknown]:
        """Yield the fields of `obj` whose type its kind does not allow, and those that it does not have.

        An object without any field in its schema may have all (`RawExtension`, the schemas of JSON). The types of
        metadata are not checked here: formats/untrusted.py validates it when the object is read.
        """
        schema = self._kinds.get((obj["apiVersion"], obj["kind"]))
        yield from self.metadata_faults(obj) if schema else ()
        ahead: list[tuple[Place, Any, Schema]] = [((), obj, schema)] if schema else []
        while ahead:
            at, value, schema = ahead.pop()
            schema = self._resolved(schema)
            wanted = str(schema.get("type"))
            if value is None or wanted not in TYPES or any(word in schema for word in SEVERAL):
                continue
            if not _is(value, wanted):
                yield Misfit(pointer(at), wanted, CALLED[type(value)])
            elif wanted == "array":
                ahead += [((*at, index), item, schema.get("items") or {}) for index, item in enumerate(value)]
            elif wanted == "object":
                yield from _unknown(schema, value, at)
                ahead += [((*at, key), item, part) for key, item in value.items() if (part := _part(schema, key, at))]

    def metadata_faults(self, obj: Object) -> Iterator[Unknown]:
        """Yield the fields of the metadata of an object of any kind that the API server does not have."""
        yield from _unknown(self._all.get(OBJECT_META, {}), obj["metadata"], ("metadata",))

    def _resolved(self, schema: Schema) -> Schema:
        """Follow the reference of a schema, if it is one; an `allOf` of one entry is a reference with a default."""
        for _ in range(len(self._all) + 1):
            inner = schema.get("allOf")
            target = inner[0].get("$ref") if isinstance(inner, list) and len(inner) == 1 else schema.get("$ref")
            if not isinstance(target, str):
                return schema
            schema = self._all.get(target.rpartition("/")[2], {})
        return {}


def _kinds(schema: Schema) -> Iterator[tuple[str, str]]:
    for each in schema.get(KINDS) or ():
        group, version = each.get("group", ""), each.get("version", "")
        yield f"{group}/{version}" if group else version, each.get("kind", "")


def _part(schema: Schema, key: str, at: Place) -> Schema | None:
    """Return the schema of a field, None if it has none."""
    if not at and key == "metadata":
        return None
    part = (schema.get("properties") or {}).get(key, schema.get("additionalProperties"))
    return part if isinstance(part, dict) else None


def _unknown(schema: Schema, value: dict[str, Any], at: Place) -> Iterator[Unknown]:
    known = schema.get("properties")
    if known and not schema.get("additionalProperties") and schema.get(PRESERVE) is not True:
        unknown = value.keys() - known.keys() - (META if not at else frozenset())
        yield from (Unknown(pointer((*at, key)), value[key]) for key in unknown)


def _is(value: Any, wanted: str) -> bool:
    if isinstance(value, bool):
        return wanted == "boolean"
    return isinstance(value, TYPES[wanted])


NEWER_DEFAULTS: Mapping[str, Callable[[Any], bool]] = {
    "podReplacementPolicy": lambda value: value in ("TerminatingOrFailed", "Failed"),
    "persistentVolumeClaimRetentionPolicy": lambda value: value == {"whenDeleted": "Retain", "whenScaled": "Retain"},
    "resizePolicy": lambda value: (
        isinstance(value, list)
        and all(isinstance(each, dict) and each.get("restartPolicy") == "NotRequired" for each in value)
    ),
}
"""Field → whether a value is what a server of Kubernetes 1.27 to 1.37 sets by default, and what an older one does on
its own: of Jobs (1.28; `Failed` is set where a Job has a podFailurePolicy), StatefulSets (1.23) and Pods (1.27)."""


def is_newer_default(pointer: str, value: Any) -> bool:
    """Return whether a field of a built-in kind that a server lacks says only what that server does on its own."""
    same = NEWER_DEFAULTS.get(pointer.rpartition("/")[2])
    return same is not None and same(value)
