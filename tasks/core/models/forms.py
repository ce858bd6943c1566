"""How options look as a form: Prefect's UI draws one field for each, in this order and under these titles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic.fields import ComputedFieldInfo, FieldInfo

FIRST = (
    "backup",
    "namespaces",
    "namespace_selector",
    "all_namespaces",
    "exclude_namespace",
    "from_context",
    "to_context",
    "context",
    "store",
    "map",
    "name",
    "resume",
    "approve",
    "approve_seconds",
    "existing",
    "existing_kinds",
    "owned",
    "rollback",
    "wait",
    "wait_seconds",
)
"""What most people fill in, in the order in which they think of it: what, from where to where, as what, how. All else
comes after it, as it is defined: selections of objects, and what is seldom wanted."""


def title(name: str, _field: FieldInfo | ComputedFieldInfo) -> str:
    """Return the title of a field: `wait_seconds` is Wait seconds."""
    return name.replace("_", " ").capitalize()


def in_order(schema: dict[str, Any]) -> None:
    """Put the fields of a JSON schema in order: Prefect sorts by `position`, and other readers go by the text."""
    fields = schema.get("properties", {})
    ranked = sorted(fields, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    schema["properties"] = {name: _bounded(fields[name]) | {"position": at} for at, name in enumerate(ranked)}


def _bounded(field: dict[str, Any]) -> dict[str, Any]:
    """Return a field that the form refuses where we would, and whose description tells its bounds beforehand."""
    if "patternProperties" in field:
        return field | {"additionalProperties": False}  # else other names than these would pass
    if "minimum" not in field or "maximum" not in field:
        return field
    return field | {"description": f"{field['description']} From {field['minimum']} to {field['maximum']}."}


def either(usual: str, other: str) -> Callable[[dict[str, Any]], None]:
    """Return what has a form refuse a run that has neither of two texts, or both: Prefect checks no model's own rules.

    `required` stands under dictionaries only: there Prefect takes it out for a deployment's defaults, which lack it.
    """

    def refuse(schema: dict[str, Any]) -> None:
        in_order(schema)
        schema["if"] = {"properties": {other: {"maxLength": 0}}}
        schema["then"] = {"properties": {usual: {"minLength": 1}}, "required": [usual]}
        schema["else"] = {"properties": {usual: {"maxLength": 0}}}

    return refuse
