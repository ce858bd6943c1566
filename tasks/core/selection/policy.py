"""What the rules of exclusion and stripping depend on: what a user wants kept, and other objects of the cluster.

Both are plain frozen values without any logic.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """What a user wants kept although a backup removes it by default; every field is off by default."""

    status: bool = False
    """Keep `status`, so that a restore can write it back through the status subresource."""

    managed_fields: bool = False
    """Keep `metadata.managedFields`, so that a restore can hand each manager its fields by server-side apply."""

    finalizers: bool = False
    """Keep all finalizers: deleting what is restored then waits for controllers that the target may not have."""

    node_ports: bool = False
    """Keep the node ports that the source cluster allocated: they may be taken on the target."""

    completed_jobs: bool = False
    """Back up Jobs that have finished: a restore re-creates them, and so runs them again."""

    suspend_cron_jobs: bool = False
    """Set `spec.suspend` on every CronJob; otherwise it keeps its value."""

    namespace_uid_ranges: bool = False
    """Keep the OpenShift annotations that bind a namespace to the uid range of its source cluster."""


@dataclass(frozen=True, slots=True)
class ClusterContext:
    """What a rule for one object must know about others."""

    selecting_services: frozenset[str] = frozenset()
    """Names of the Services of its namespace that have a selector: a controller creates their Endpoints."""

    static_volumes: frozenset[str] = frozenset()
    """Names of the statically provisioned PersistentVolumes (no `pv.kubernetes.io/provisioned-by`)."""


DEFAULTS = Policy()
"""Nothing is kept that a backup removes by default."""

UNKNOWN_CLUSTER = ClusterContext()
"""Nothing is known about other objects."""
