"""The options of `kubeferry deploy`: where flows run, when, and where notifications go."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from kubeferry.tasks.core.models.options import NamespaceName, Place
from kubeferry.tasks.core.models.pools import POOLS, PoolType

Rule = Literal["within", "last", "hourly", "daily", "weekly", "monthly", "yearly"]
"""The rules of retention: the options `--keep-…` of prune."""


def _zone(name: str) -> str:
    if name and name not in available_timezones():
        raise ValueError("no such time zone: write it as Europe/Berlin or UTC")
    return name


class DeployOptions(Place):
    """What to register with Prefect; cluster and store apply to every deployment."""

    type: PoolType = PoolType.PROCESS
    """How the worker runs flows: as processes on its machine, or as Jobs in its cluster."""

    pool: str = ""
    """Name of the work pool; empty: depends on the type. Jobs that write have a second one, NAME-restore."""

    image: str = ""
    """Image of Kubeferry for Jobs (type kubernetes); empty: the image of the base job template."""

    all_namespaces: bool = False
    """The nightly backup includes all namespaces except Kubernetes' own (`kube-*`)."""

    namespaces: list[NamespaceName] = Field(default_factory=list)
    """Namespaces of the nightly backup, by name."""

    namespace_selector: str = ""
    """Additionally the namespaces that have these labels at the time of each backup."""

    exclude_namespace: list[str] = Field(default_factory=list)
    """Exclude these namespaces; `*`, `?` and `[...]` are wildcards."""

    cron: dict[str, str] = Field(default_factory=dict)
    """When the nightly deployments run: flow to cron expression, for example `backup` to `0 2 * * *`."""

    timezone: Annotated[str, AfterValidator(_zone)] = ""
    """Time zone of the schedules, for example Europe/Berlin."""

    keep: dict[Rule, str] = Field(default_factory=dict)
    """What the nightly prune keeps, for example `daily` to `7`; without it, prune is registered and does not run."""

    notify: Annotated[str, StringConstraints(pattern=r"^([a-z0-9-]+/[a-z0-9-]+)?$")] = ""
    """The Prefect block that sends notifications, TYPE/NAME, for example slack-webhook/operators."""

    @model_validator(mode="after")
    def _counts(self) -> Self:
        if wrong := [
            f"{rule}={value}" for rule, value in self.keep.items() if rule != "within" and not value.isdigit()
        ]:
            raise ValueError(f"--keep {wrong[0]!r}: write RULE=NUMBER, or within=AGE")
        return self

    @property
    def work_pool(self) -> str:
        """Return the name of the work pool."""
        return self.pool or POOLS[self.type]
