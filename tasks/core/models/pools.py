"""The work pools of Prefect that take Kubeferry's runs. No pydantic: the command line's help needs these words."""

from __future__ import annotations

from enum import StrEnum


class PoolType(StrEnum):
    """How the worker of a work pool runs flows."""

    PROCESS = "process"
    KUBERNETES = "kubernetes"


POOLS = {PoolType.PROCESS: "kubeferry", PoolType.KUBERNETES: "kubeferry-kubernetes"}
"""Names of the work pools, where none is given."""
