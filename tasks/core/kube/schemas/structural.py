"""What a CustomResourceDefinition's schema keeps of an object, and what it prunes.

The rule is that of the API server (Kubernetes documentation: Custom Resources, "Field pruning"; the code is
`apiextensions-apiserver/pkg/apiserver/schema/pruning/algorithm.go`): a field that the structural schema of the version
that is written does not specify is removed without an error. `x-kubernetes-preserve-unknown-fields` keeps what is not
specified, and what is specified below it is pruned again; an embedded resource keeps its `apiVersion`, `kind` and
`metadata`, and of this the fields of ObjectMeta (`schema/objectmeta/coerce.go`). Only `properties`,
`additionalProperties` and `items` specify: what is in `allOf`, `anyOf`, `oneOf` or `not` validates a value and
specifies nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object, Place

Schema = dict[str, Any]

PRESERVE = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"
META = frozenset({"apiVersion", "kind", "metadata"})
"""Fields of every resource, which no schema needs to specify."""

OBJECT_META = frozenset(
    {
        "annotations",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "labels",
        "managedFields",
        "name",
        "namespace",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
"""Fields of metadata (meta/v1, ObjectMeta): the same since Kubernetes 1.24."""

EACH = "*"
"""Stands for each item of a list, or each value of a map, in the place of a field."""
REST = "**"
"""Stands for whatever a schema preserves."""


def pruned(obj: Object, schema: Schema | None) -> list[Place]:
    """Return the places of what a server with this structural schema removes from a custom resource; sorted.

    A field whose removal takes others along is one place. `metadata` is not looked into, as the schema of the
    definition does not specify it. None stands for a schema that specifies nothing.
    """
    found: list[Place] = []
    ahead: list[tuple[Place, Any, Schema | None]] = [((), obj, (schema or {}) | {EMBEDDED: True})]
    while ahead:  # no recursion: an archive may hold an object of any depth
        at, value, part = ahead.pop()
        preserves = part is not None and part.get(PRESERVE) is True
        if isinstance(value, list):
            inner = _object((part or {}).get("items"))
            if preserves:  # an item of such a list preserves what its own schema does not specify
                inner = None if inner is None else inner | {PRESERVE: True}
            if inner is not None or not preserves:
                ahead += [((*at, index), item, inner) for index, item in enumerate(value)]
        elif isinstance(value, dict):
            kept = META if part is not None and part.get(EMBEDDED) is True else frozenset[str]()
            for key, item in value.items():
                specified, inner = _specified(part, key)
                if key in kept:
                    unknown = item.keys() - OBJECT_META if at and key == "metadata" and isinstance(item, dict) else ()
                    found += [(*at, key, each) for each in unknown]
                    continue
                if specified:
                    ahead.append(((*at, key), item, inner))
                elif not preserves:
                    found.append((*at, key))
    return sorted(found, key=_order)


def _specified(schema: Schema | None, key: str) -> tuple[bool, Schema | None]:
    """Return whether a schema specifies a field, and the field's schema; None for one that specifies nothing."""
    if schema is None:
        return False, None
    properties = schema.get("properties")
    if isinstance(properties, dict) and key in properties:
        return True, _object(properties[key])
    if "additionalProperties" in schema and schema["additionalProperties"] is not False:
        return True, _object(schema["additionalProperties"])  # `true` specifies the value, and nothing in it
    return False, None


def _object(value: Any) -> Schema | None:
    return value if isinstance(value, dict) else None


def fields(schema: Schema | None) -> frozenset[Place]:
    """Return the places that a structural schema specifies, `metadata` apart; EACH and REST stand for many."""
    found: set[Place] = set()
    ahead: list[tuple[Place, Schema]] = [((), schema or {})]
    while ahead:
        at, part = ahead.pop()
        if part.get(PRESERVE) is True:
            found.add((*at, REST))
        inner = {key: each for key, each in (_object(part.get("properties")) or {}).items() if at or key not in META}
        inner |= {EACH: part[word] for word in ("items", "additionalProperties") if part.get(word)}  # noqa: B035 - one of both
        found |= {(*at, key) for key in inner}
        ahead += [((*at, key), each) for key, each in inner.items() if isinstance(each, dict)]
    return frozenset(found)


def unknown_to(known: frozenset[Place], wanted: frozenset[Place]) -> list[Place]:
    """Return which of the fields in `wanted` a schema with the fields `known` does not keep; the outermost, sorted."""
    lost = {
        place
        for place in wanted
        if place not in known and not any((*place[:end], REST) in known for end in range(len(place)))
    }
    return sorted((place for place in lost if not any(place[:end] in lost for end in range(len(place)))), key=_order)


def _order(place: Place) -> tuple[str, ...]:
    return tuple(map(str, place))
