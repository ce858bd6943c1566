"""The Prefect work pools for Kubeferry's runs. No pydantic: the help of the command line imports this module."""

from __future__ import annotations

from enum import StrEnum


class PoolType(StrEnum):
    """How the worker of a work pool runs flows."""

    PROCESS = "process"
    KUBERNETES = "kubernetes"


POOLS = {PoolType.PROCESS: "kubeferry", PoolType.KUBERNETES: "kubeferry-kubernetes"}
"""Default names of the work pools."""


def restore_pool(pool: str, kind: PoolType) -> str:
    """Return the work pool of the flows that write: of Jobs a second one, since a pool has one service account."""
    return f"{pool}-restore" if kind is PoolType.KUBERNETES else pool
