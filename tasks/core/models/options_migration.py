"""The options of the flows migrate, migrate-namespace and populate, as pydantic models.

Migrate restores many namespaces from one cluster to another; migrate-namespace does the part of one of them. Populate
uses one backup as the template of many namespaces, each with its own parameters.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from kubeferry.tasks.core.models.from_store import EACH_RUN
from kubeferry.tasks.core.models.modifications import Modifications
from kubeferry.tasks.core.models.options import (
    BackupOptions,
    Choosing,
    Manner,
    NamespaceName,
    OnFailure,
    OptionalName,
    Place,
    RestoreOptions,
)


class FanOut(StrEnum):
    """Where the namespaces are restored."""

    HERE = "here"
    """In this flow run's own process, in parallel."""

    DEPLOYMENT = "deployment"
    """Each in its own flow run, which workers take from a work pool."""


class MigrateOptions(Manner, Choosing):
    """Which namespaces to migrate, and between which clusters."""

    from_context: str = ""
    """Context of the source cluster; empty: the current context, or the pod's own cluster."""

    to_context: str = ""
    """Context of the target cluster."""

    kubeconfig: str = ""
    """Path of the kubeconfig with both contexts; empty: KUBECONFIG, or the user's default."""

    store: str = ""
    """file:///folder or s3://bucket/prefix?endpoint=...&region=...; empty: a folder in the user's data directory."""

    all_namespaces: bool = False
    """All namespaces except Kubernetes' own (`kube-*`), which must be named."""

    name: OptionalName = ""
    """Name of this migration and of its backup; empty: generated from the namespaces and the time."""

    resume: OptionalName = ""
    """Name of an interrupted or partly failed migration to continue with its own options."""

    into_existing: bool = False
    """Also restore into namespaces that the target has already."""

    on_failure: OnFailure = OnFailure.CONTINUE
    """If the target refuses an object or the restore of a namespace fails: continue without what is refused and what
    needs it; roll back the changes in this namespace; or stop and leave everything as it is."""

    side_by_side: Annotated[int, Field(ge=1, le=64)] = 6
    """How many namespaces to process at once."""

    fan_out: FanOut = FanOut.HERE
    """Restore each namespace in this process, or in its own flow run on a work pool."""

    deployment: Annotated[str, StringConstraints(pattern=r"^[^/]+/[^/]+$")] = "migrate-namespace/on-demand"
    """With `fan_out` deployment: the deployment of the flow `migrate-namespace` to run for each namespace."""

    @model_validator(mode="after")
    def _fit(self) -> Self:
        chosen = self.namespaces or self.namespace_selector or self.all_namespaces
        if self.resume:
            return self
        if not chosen:
            raise ValueError(
                "name a NAMESPACE to migrate, or choose some with --namespace-selector or --all-namespaces"
            )
        if not self.to_context:
            raise ValueError("name the target cluster with --to-context")
        return self

    def backup(self, name: str, namespaces: list[str]) -> BackupOptions:
        """Return the options of the backup of the chosen namespaces."""
        where = {"all_namespaces", "namespaces", "namespace_selector", "exclude_namespace"}
        asked = self.model_dump(include=(set(Choosing.model_fields) - where) | {"store", "kubeconfig"})
        return BackupOptions(**asked, name=name, context=self.from_context, namespaces=namespaces)

    def restore(self, backup: str, name: str, namespace: str, names: dict[str, str]) -> RestoreOptions:
        """Return the options of the restore of one namespace, "" for cluster-scoped objects; `names` are of all."""
        asked = self.model_dump(include=(set(Manner.model_fields) - {"map"}) | {"store", "kubeconfig"})
        chosen = [namespace] if namespace else []
        return RestoreOptions(
            **asked, backup=backup, name=name, context=self.to_context, namespaces=chosen, map=renamed(names)
        )


def renamed(names: dict[str, str]) -> dict[str, str]:
    """Return the names that change, old to new."""
    return {old: new for old, new in names.items() if old != new}


class MigrateNamespaceOptions(Place):
    """Which part of a migration to do; all other options are in the store. The cluster is the target."""

    migration: OptionalName
    """Name of the migration."""

    namespace: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$")]
    """Namespace, by its old name; `cluster.wide` for cluster-scoped objects."""


class Into(Modifications):
    """A namespace to create, and its differences from the template."""

    name: NamespaceName
    """Its name."""


class PopulateOptions(Manner, Place):
    """Which namespaces to create from which backup."""

    backup: OptionalName
    """Name of the backup."""

    template: NamespaceName | None = None
    """The namespace of the backup to use; required if it holds more than one."""

    into: list[Into] = Field(min_length=1)
    """The namespaces to create, each with its parameters."""

    modify: Modifications = Modifications()
    """What to modify in all of them."""

    name: OptionalName = ""
    """Name of this run; a second run with the same name does only what is missing. Empty: BACKUP-populate."""

    side_by_side: Annotated[int, Field(ge=1, le=64)] = 6
    """How many namespaces to process at once."""

    @model_validator(mode="after")
    def _fit(self) -> Self:
        names = [each.name for each in self.into]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"namespace {twice[0]} is named twice")
        if not self.backup:
            raise ValueError("name a BACKUP")
        if self.map:
            raise ValueError("the namespaces to create have their names: a map cannot be used with them")
        return self

    @property
    def called(self) -> str:
        """Return the name of this run."""
        return self.name or f"{self.backup}-populate"

    def restore(self, into: Into, template: str, name: str) -> RestoreOptions:
        """Return the options of the restore that creates one namespace."""
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
        """Return the options that continue an interrupted restore."""
        keep = {*EACH_RUN, *Place.model_fields}
        return RestoreOptions(**self.model_dump(include=keep), resume=name)
