"""How a restore modifies objects: pydantic models, which Prefect's UI shows as a form.

They are stored with the run, so they must not hold secrets: a rule that changes the content of a Secret is refused.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.jsondoc.globs import glob_pattern
from kubeferry.tasks.core.jsondoc.patch import NEEDED
from kubeferry.tasks.core.kube.label_selectors import parse_selector
from kubeferry.tasks.core.models.forms import FormModel

Pointer = Annotated[str, StringConstraints(pattern=r"^(/.*)?$")]
Label = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")]
Key = Annotated[
    str,
    StringConstraints(
        pattern=r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
    ),
]
Host = Annotated[str, StringConstraints(pattern=r"^(\*|[*a-z0-9.][-a-z0-9.]*)$", max_length=253)]
SECRETS = {"secret", "secrets"}
CONTENT = ("data", "stringData")


class _Model(FormModel):
    model_config = ConfigDict(populate_by_name=True)


class Operation(_Model):
    """One operation of a JSON patch (RFC 6902)."""

    op: Literal["add", "remove", "replace", "move", "copy", "test"]
    """The operation."""

    path: Pointer
    """Where, as a JSON pointer, for example `/spec/replicas`."""

    source: Annotated[Pointer, Field(alias="from")] = ""
    """For `move` and `copy`: the source, as a JSON pointer."""

    value: Any = None
    """For `add`, `replace` and `test`: the value, which may be null."""

    or_missing: bool = False
    """For `test` with the value null: the field may also be missing, as in Velero."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = NEEDED[self.op]
        field = {"from": "source"}.get(needed, needed)
        if field and field not in self.model_fields_set:
            raise ValueError(f"the operation {self.op} needs a {needed!r}")
        return self

    def plain(self) -> dict[str, Any]:
        """Return it in the form of RFC 6902."""
        needed = NEEDED[self.op]
        members = {"": {}, "from": {"from": self.source}, "value": {"value": self.value}}[needed]
        return {"op": self.op, "path": self.path} | members | ({"or_missing": True} if self.or_missing else {})


class Match(_Model):
    """A field that must have a value."""

    path: Pointer
    """Where, as a JSON pointer."""

    value: Any = None
    """The value that must be there; null: nothing may be there but null."""


class Rule(_Model):
    """Patches for the objects that match all conditions; conditions look at the object as it is in the backup."""

    kind: str = ""
    """Only objects of this kind, by any of its names, for example `deployments.apps`; `*` and `?` are wildcards."""

    name: str = ""
    """Only objects of this name; `*`, `?` and `[...]` are wildcards."""

    name_regex: str = ""
    """Only objects whose name contains a match of this regular expression."""

    group_resource: str = ""
    """Only these resources in Velero's form: `pods`, `*.apps`, `[dr]*sets.apps`; `*` does not match a dot."""

    namespaces: list[str] = []
    """Only objects of these namespaces, by their names in the backup, with wildcards; cluster-scoped objects match."""

    selector: str = ""
    """Only objects with these labels, for example `app=web`."""

    matches: list[Match] = []
    """Only objects with these values."""

    patches: list[Operation] = []
    """A JSON patch; if one of its `test` operations fails, the rule does nothing."""

    merge_patches: list[dict[str, Any]] = []
    """JSON merge patches (RFC 7396), one after the other."""

    strategic_patches: list[dict[str, Any]] = []
    """Strategic merge patches, for Kubernetes' own kinds."""

    @field_validator("selector")
    @classmethod
    def _selector(cls, text: str) -> str:
        try:
            parse_selector(text)
        except UsageError as error:
            raise ValueError(str(error)) from None
        return text

    @field_validator("name_regex")
    @classmethod
    def _regex(cls, text: str) -> str:
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from None
        return text

    @field_validator("group_resource")
    @classmethod
    def _glob(cls, text: str) -> str:
        glob_pattern(text, apart=".")
        return text

    @field_validator("namespaces")
    @classmethod
    def _globs(cls, given: list[str]) -> list[str]:
        for each in given:
            glob_pattern(each)
        return given

    @model_validator(mode="after")
    def _fit(self) -> Self:
        given = [each for each in (self.patches, self.merge_patches, self.strategic_patches) if each]
        if len(given) != 1:
            raise ValueError("a rule needs exactly one of patches, merge_patches and strategic_patches")
        word = (self.kind or self.group_resource).lower()
        if word in SECRETS and self._content():
            raise ValueError("the content of a Secret cannot be modified: the value would be stored with the run")
        return self

    def _content(self) -> bool:
        maps = [*self.merge_patches, *self.strategic_patches]
        return any(each.path.split("/")[1:2] in (["data"], ["stringData"]) for each in self.patches) or any(
            field in each for each in maps for field in CONTENT
        )


class Modifications(_Model):
    """What to modify: labels, annotations, replicas, hosts, and anything else with rules."""

    labels: dict[Key, Label] = {}
    """Labels for the namespace and every object in it."""

    annotations: dict[Key, str] = {}
    """Annotations for the namespace."""

    replicas: dict[str, Annotated[int, Field(ge=0, le=100_000)]] = {}
    """Replicas of Deployments and StatefulSets by name, with wildcards: `web` to 3, `*` to 1."""

    hosts: dict[Host, Host] = {}
    """Host names of Ingresses, Routes and Gateways, old to new: `a.example.com`, all below `.example.com`, or `*`."""

    rules: list[Rule] = []
    """Patches with conditions, applied in this order."""

    @field_validator("replicas", "hosts", mode="before")
    @classmethod
    def _of_all(cls, given: Any) -> Any:
        """Return a single value as the value of the wildcard `*`."""
        return given if isinstance(given, dict) else {"*": given}

    def also(self, other: Modifications) -> Modifications:
        """Return these modifications followed by those of another, whose values take precedence."""
        return Modifications(
            labels=self.labels | other.labels,
            annotations=self.annotations | other.annotations,
            replicas=other.replicas | {key: n for key, n in self.replicas.items() if key not in other.replicas},
            hosts=self.hosts | other.hosts,
            rules=[*self.rules, *other.rules],
        )

    @property
    def given(self) -> bool:
        """Return whether there is anything to modify."""
        return bool(self.labels or self.annotations or self.replicas or self.hosts or self.rules)
