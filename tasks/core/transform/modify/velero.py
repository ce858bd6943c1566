"""Read Velero's resource modifiers (Velero 1.18, internal/resourcemodifiers), as a file or in their ConfigMap.

Values of its JSON patches are strings: `"1"` becomes a number, `true` a boolean, `{…}` and `[…]` JSON, and a string in
escaped quotes stays a string. A rule with two of the three kinds of patches is refused, as by Velero.
"""

from __future__ import annotations

from typing import Any, Literal, Self

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.models.modifications import Match, Operation, Rule


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class _Text(_Model):
    value: str = ""

    @field_validator("value", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        """Return numbers and booleans as the strings into which sigs.k8s.io/yaml converts them."""
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value) if isinstance(value, int | float) else value


class _Patch(_Text):
    operation: Literal["add", "remove", "replace", "move", "copy", "test"]
    path: str = Field(min_length=1)
    source: str = Field("", alias="from")

    @field_validator("operation", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value


class _Match(_Text):
    path: str = Field(min_length=1)


class _Expression(_Model):
    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: list[str] = []


class _LabelSelector(_Model):
    matchLabels: dict[str, str] = {}  # noqa: N815 - Kubernetes' name
    matchExpressions: list[_Expression] = []  # noqa: N815 - as above


class _Conditions(_Model):
    groupResource: str = Field(min_length=1)  # noqa: N815 - Velero's names
    resourceNameRegex: str = ""  # noqa: N815 - as above
    namespaces: list[str] | None = None
    labelSelector: _LabelSelector | None = None  # noqa: N815 - as above
    matches: list[_Match] | None = None


class _Data(_Model):
    patchData: str = ""  # noqa: N815 - Velero's name


class _Rule(_Model):
    conditions: _Conditions
    patches: list[_Patch] | None = None
    mergePatches: list[_Data] | None = None  # noqa: N815 - Velero's names
    strategicPatches: list[_Data] | None = None  # noqa: N815 - as above

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(map(bool, (self.patches, self.mergePatches, self.strategicPatches))) > 1:
            raise ValueError("only one of patches, mergePatches and strategicPatches can be specified")
        return self


class _File(_Model):
    version: str
    resourceModifierRules: list[_Rule] = Field(min_length=1)  # noqa: N815 - as above


def is_velero(found: Any) -> bool:
    """Return whether a decoded YAML document has Velero's format, plain or in its ConfigMap."""
    return isinstance(found, dict) and ("resourceModifierRules" in found or found.get("kind") == "ConfigMap")


def velero_rules(found: Any) -> list[Rule]:
    """Return the rules of a file in Velero's format (`is_velero`).

    Raises:
        UsageError: it has another version, or is a ConfigMap without exactly one file.
        ValidationError: a field is one that Velero refuses too.
    """
    if found.get("kind") == "ConfigMap":
        data = found.get("data")
        if not isinstance(data, dict) or len(data) != 1:
            raise UsageError("the ConfigMap of resource modifiers must hold exactly one file")
        found = yaml.safe_load(next(iter(data.values())))
    file = _File.model_validate(found)
    if file.version.lower() != "v1":
        raise UsageError(f"resource modifiers of version {file.version[:20]!r}: only v1 is supported")
    return [_rule(each) for each in file.resourceModifierRules]


def _rule(rule: _Rule) -> Rule:
    asked = rule.conditions
    return Rule(
        group_resource=asked.groupResource,
        name_regex=asked.resourceNameRegex,
        namespaces=asked.namespaces or [],
        selector=_selector(asked.labelSelector) if asked.labelSelector else "",
        matches=[Match(path=each.path, value=_value(each.value)) for each in asked.matches or []],
        patches=[_operation(each) for each in rule.patches or []],
        merge_patches=[_data(each) for each in rule.mergePatches or []],
        strategic_patches=[_data(each) for each in rule.strategicPatches or []],
    )


def _operation(patch: _Patch) -> Operation:
    value = _value(patch.value)
    source = {"source": patch.source} if patch.source else {}  # none: the operation is refused
    return Operation(op=patch.operation, path=patch.path, value=value, or_missing=value is None, **source)


def _value(text: str) -> Any:
    """Return the value that a string has for Velero (json_patch.go, addQuotes)."""
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        return text[1:-1]
    if text == "null":
        return None
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        if text.startswith(("{", "[")):
            return orjson.loads(text)
        return orjson.loads(text) if text and _is_number(text) else text
    except orjson.JSONDecodeError:
        raise UsageError("a value of resource modifiers is not JSON: put a string in escaped quotes") from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _data(given: _Data) -> dict[str, Any]:
    found = yaml.safe_load(given.patchData)
    if not isinstance(found, dict):
        raise UsageError("patchData of resource modifiers must hold a map")
    return found


_WORDS = {"In": "{key} in ({values})", "NotIn": "{key} notin ({values})", "Exists": "{key}", "DoesNotExist": "!{key}"}


def _selector(given: _LabelSelector) -> str:
    terms = [f"{key}={value}" for key, value in given.matchLabels.items()]
    terms += [
        _WORDS[each.operator].format(key=each.key, values=",".join(each.values)) for each in given.matchExpressions
    ]
    return ",".join(terms)
