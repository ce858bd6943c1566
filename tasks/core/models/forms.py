"""How options look as a form: Prefect's UI shows one field for each, in this order and with these titles."""

from __future__ import annotations

import ast
from functools import cache
from inspect import cleandoc, getsource
from itertools import pairwise
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticUndefined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
    "on_failure",
    "rollback_on_failure",
    "wait",
    "wait_seconds",
)
"""What most users fill in, in their order: what, from where to where, under which names, how. All other fields follow
in the order of their definition: selections of objects, and rarely used options."""


def title(name: str, _field: FieldInfo | ComputedFieldInfo) -> str:
    """Return the title of a field: `wait_seconds` becomes "Wait seconds"."""
    return name.replace("_", " ").capitalize()


def described(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Give each field of a JSON schema the text below it in the model.

    pydantic's use_attribute_docstrings does the same whenever the model is imported: to parse the source of all options
    takes longer than most commands.
    """
    fields = schema.get("properties", {})
    texts = _texts_of(model)
    names = {field.alias or name: name for name, field in model.model_fields.items()}
    schema["properties"] = {
        key: ({"description": text} if (text := texts.get(names.get(key, key))) else {}) | field
        for key, field in fields.items()
    }


class FormModel(BaseModel):
    """A part of what users fill in: frozen, with no field but these; its errors quote no input, which may be secret."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        # A command needs one or two of these models; to build all of them takes longer than to read its arguments.
        defer_build=True,
        hide_input_in_errors=True,
        json_schema_extra=described,
    )


@cache
def _texts_of(model: type[BaseModel]) -> dict[str, str]:
    """Return field → the string below it, of a model and of those that it inherits from."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if each.__module__.startswith(f"{__package__}."):
            (definition,) = ast.parse(dedent(getsource(each))).body
            found |= _below(definition.body if isinstance(definition, ast.ClassDef) else [])
    return found


def _below(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, text in pairwise(body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(string))):
                yield name, cleandoc(string)


def in_order(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Put the fields of a JSON schema in order: Prefect sorts by `position`, other readers keep the text's order."""
    described(schema, model)
    fields = schema.get("properties", {})
    ranked = sorted(fields, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    schema["properties"] = {name: _bounded(fields[name]) | {"position": at} for at, name in enumerate(ranked)}


def _bounded(field: dict[str, Any]) -> dict[str, Any]:
    """Return a field that the form validates like the model, and whose description includes its bounds."""
    if "patternProperties" in field:
        return field | {"additionalProperties": False}  # otherwise any other name would pass
    if "minimum" not in field or "maximum" not in field:
        return field
    return field | {"description": f"{field['description']} From {field['minimum']} to {field['maximum']}."}


def either(usual: str, other: str, third: str = "") -> Callable[[dict[str, Any], type[BaseModel]], None]:
    """Return a schema hook that requires exactly one of two texts, since Prefect runs no validators of models.

    A `third` one may be given instead of the usual one, or with it, but not with the other.

    `required` is in dictionaries only: there Prefect removes it for a deployment's defaults, which lack the field.
    """

    def refuse(schema: dict[str, Any], model: type[BaseModel]) -> None:
        in_order(schema, model)
        empty = {"maxLength": 0}
        schema["if"] = {"properties": {each: empty for each in (other, third) if each}}
        schema["then"] = {"properties": {usual: {"minLength": 1}}, "required": [usual]}
        schema["else"] = {"properties": {usual: empty}}
        if third:
            given = {"properties": {other: {"minLength": 1}}, "required": [other]}
            schema["else"] = {"if": given, "then": {"properties": {usual: empty, third: empty}}}

    return refuse


def form(model: type[BaseModel]) -> dict[str, Any]:
    """Return the parameter schema of a deployment, from which Prefect's UI makes the form of a run.

    It is the schema of the model: with its order, titles and bounds, and with its checks of several fields, for which
    Prefect's own schema of a function has no place. The server checks the parameters of each run by it.
    """
    schema = model.model_json_schema(ref_template="#/definitions/{model}")
    definitions = schema.pop("$defs", {})
    schema.pop("description", None)  # a deployment has its own
    return schema | {"title": "Parameters", "definitions": definitions}


EARLIER = "options"
"""The one parameter of the flows of earlier versions, which held all options: a run that gave some of them lost those
of its deployment."""

OF_EARLIER = "of an earlier version of Kubeferry: repeat kubeferry deploy with the same options"
"""What a deployment is that has this parameter, and what to do."""


def is_earlier(schema: Mapping[str, Any] | None) -> bool:
    """Return whether a deployment with this parameter schema was registered by an earlier version."""
    return set((schema or {}).get("properties", {})) == {EARLIER}


def flat(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are given, by name, from parameters of this version or of an earlier one."""
    given = {name: value for name, value in parameters.items() if value is not PydanticUndefined}
    earlier = given.pop(EARLIER, None)
    return given | dict(earlier or {})
