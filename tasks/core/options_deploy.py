"""What a person can ask of `kubeferry deploy`: where runs work, when, and who hears of what goes wrong."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, StringConstraints

from tasks.core.options import NamespaceName, Place


class PoolType(StrEnum):
    """How the worker of a work pool runs flows."""

    PROCESS = "process"
    KUBERNETES = "kubernetes"


POOLS = {PoolType.PROCESS: "kubeferry", PoolType.KUBERNETES: "kubeferry-kubernetes"}
"""Names of the work pools, where none is given."""


def _zone(name: str) -> str:
    if name and name not in available_timezones():
        raise ValueError("no such time zone: write it as Europe/Berlin or UTC")
    return name


class DeployOptions(Place):
    """What is registered with Prefect; cluster and store become those of every deployment."""

    type: PoolType = PoolType.PROCESS
    """How the worker runs flows: as processes of its own machine, or as Jobs of its cluster."""

    pool: str = ""
    """Name of the work pool; empty: by the type."""

    namespaces: list[NamespaceName] = Field(default_factory=list)
    """Namespaces of the nightly backup, by name."""

    namespace_selector: str = ""
    """Also the namespaces with these labels, looked for anew each night."""

    exclude_namespace: list[str] = Field(default_factory=list)
    """Not these namespaces; `*`, `?` and `[...]` are wildcards."""

    cron: dict[str, str] = Field(default_factory=dict)
    """When the nightly deployments run: flow to cron expression, for example `backup` to `0 2 * * *`."""

    timezone: Annotated[str, AfterValidator(_zone)] = ""
    """Time zone of the schedules, for example Europe/Berlin."""

    notify: Annotated[str, StringConstraints(pattern=r"^([a-z0-9-]+/[a-z0-9-]+)?$")] = ""
    """The block of Prefect that sends notifications, TYPE/NAME, for example slack-webhook/operators."""

    @property
    def work_pool(self) -> str:
        """Return the name of the work pool."""
        return self.pool or POOLS[self.type]
