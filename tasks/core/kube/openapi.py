"""Whether an object's fields have the types that an API server's schema gives them: what it would refuse at create.

The schemas are those of `/openapi/v3/…` (OpenAPI 3.0, with references to each other). Only types are judged, and only
where a schema is plain about them: null fits everywhere, a field that is not known fits (servers drop it), and so does
what may be of several types (quantities, ports by name or number). Everything else is the API server's to judge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kubeferry.tasks.core.kube.strings import pointer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object, Place

Schema = dict[str, Any]

KINDS = "x-kubernetes-group-version-kind"
SEVERAL = ("oneOf", "anyOf", "x-kubernetes-int-or-string")
"""Words of a schema of which the value may have several types."""

TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int, float),
    "number": (int, float),
}
"""Type of a schema → what it is in decoded JSON; a bool is an int in Python only."""

CALLED: Mapping[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
}


class Misfit(NamedTuple):
    """A field of another type than its schema's; JSON pointer (RFC 6901), and both types as OpenAPI calls them."""

    pointer: str
    wanted: str
    has: str


class Schemas:
    """The schemas of one group and version."""

    def __init__(self, document: Any) -> None:
        """Take the decoded document; one of another shape has no schemas."""
        found = document.get("components") if isinstance(document, dict) else None
        listed = found.get("schemas") if isinstance(found, dict) else None
        self._all: dict[str, Schema] = listed if isinstance(listed, dict) else {}
        self._kinds = {kind: schema for schema in self._all.values() for kind in _kinds(schema)}

    def schema_errors(self, obj: Object) -> Iterator[Misfit]:
        """Yield the fields of `obj` that its kind cannot have so; none of a kind without a schema.

        What stands in metadata was looked at when the object was received.
        """
        schema = self._kinds.get((obj["apiVersion"], obj["kind"]))
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
                ahead += [((*at, key), item, part) for key, item in value.items() if (part := _part(schema, key, at))]

    def _resolved(self, schema: Schema) -> Schema:
        """Return what a schema refers to, itself where it does not; `allOf` of one is how a reference has a default."""
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
    """Return the schema of a field, None where nothing is said of it."""
    if not at and key == "metadata":
        return None
    part = (schema.get("properties") or {}).get(key, schema.get("additionalProperties"))
    return part if isinstance(part, dict) else None


def _is(value: Any, wanted: str) -> bool:
    if isinstance(value, bool):
        return wanted == "boolean"
    return isinstance(value, TYPES[wanted])
