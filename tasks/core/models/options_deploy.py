"""What a person can ask of `kubeferry deploy`: where runs work, when, and who hears of what goes wrong."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from kubeferry.tasks.core.models.options import NamespaceName, Place
from kubeferry.tasks.core.models.pools import POOLS, PoolType

Rule = Literal["within", "last", "hourly", "daily", "weekly", "monthly", "yearly"]
"""What a backup is kept by: the options `--keep-…` of prune."""


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

    image: str = ""
    """Image of Kubeferry for Jobs of the type kubernetes; empty: that of the base job template."""

    all_namespaces: bool = False
    """The nightly backup takes all namespaces, but for those of Kubernetes itself."""

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

    keep: dict[Rule, str] = Field(default_factory=dict)
    """What the nightly prune keeps, for example `daily` to `7`; without a word it is registered and does not run."""

    notify: Annotated[str, StringConstraints(pattern=r"^([a-z0-9-]+/[a-z0-9-]+)?$")] = ""
    """The block of Prefect that sends notifications, TYPE/NAME, for example slack-webhook/operators."""

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
