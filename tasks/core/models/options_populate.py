"""What a person can ask of the flow `populate`: one backup as the template of many namespaces, each with parameters."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from kubeferry.tasks.core.models.modifications import Modifications
from kubeferry.tasks.core.models.options import Manner, NamespaceName, OptionalName, Place, RestoreOptions


class Into(Modifications):
    """A namespace to make, and what is other in it than in the template."""

    name: NamespaceName
    """Its name."""


class PopulateOptions(Manner, Place):
    """Which namespaces to make of which backup."""

    backup: OptionalName
    """Name of the backup."""

    template: NamespaceName | None = None
    """The namespace of the backup to take; needed where it holds more than one."""

    into: list[Into] = Field(min_length=1)
    """The namespaces to make, each with its parameters."""

    modify: Modifications = Modifications()
    """What to modify in all of them."""

    name: OptionalName = ""
    """Name of this run, by which the same again does only what is missing; empty: BACKUP-populate."""

    side_by_side: Annotated[int, Field(ge=1, le=64)] = 6
    """How many namespaces are worked on at once."""

    @model_validator(mode="after")
    def _fit(self) -> Self:
        names = [each.name for each in self.into]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"namespace {twice[0]} is named twice")
        if not self.backup:
            raise ValueError("name a BACKUP")
        if self.map:
            raise ValueError("names are given by the namespaces to make: there is no map beside them")
        return self

    @property
    def called(self) -> str:
        """Return the name of this run."""
        return self.name or f"{self.backup}-populate"

    def restore(self, into: Into, template: str, name: str) -> RestoreOptions:
        """Return what the restore that makes one namespace is asked for."""
        asked = self.model_dump(include=(set(Manner.model_fields) - {"map"}) | set(Place.model_fields))
        return RestoreOptions(
            **asked,
            backup=self.backup,
            name=name,
            namespaces=[template],
            map={} if into.name == template else {template: into.name},
            modify=self.modify.also(into),
        )

    def resume(self, name: str) -> RestoreOptions:
        """Return what it takes to go on with a restore that was cut off."""
        keep = {"identities", "wait_seconds", "rollback"} | set(Place.model_fields)
        return RestoreOptions(**self.model_dump(include=keep), resume=name)
