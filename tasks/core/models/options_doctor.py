"""What `kubeferry doctor` is asked to look at."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from kubeferry.tasks.core.models.options import NamespaceName, Place


class DoctorOptions(Place):
    """A cluster, a store, and the namespaces whose backup or restore is meant."""

    namespaces: list[NamespaceName] = Field(default=[])
    """Namespaces; without any the rights for all of them are asked for."""

    seconds: Annotated[int, Field(ge=1, le=600)] = 30
    """Longest time of each check, in seconds."""
