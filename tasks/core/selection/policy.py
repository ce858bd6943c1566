"""What the rules of carrying and stripping are told: what a user wants kept, and what else there is in the cluster.

Both are plain frozen values; nothing here decides anything.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """What a user wants kept although a backup leaves it behind by default; every field is off unless asked for."""

    status: bool = False
    """Keep `status`, so that a restore can write it back through the status subresource."""

    managed_fields: bool = False
    """Keep `metadata.managedFields`, so that a restore can hand each manager its fields by server-side apply."""

    finalizers: bool = False
    """Keep all finalizers: deleting what is restored then waits for controllers that the target may not have."""

    node_ports: bool = False
    """Keep the node ports that the source cluster allocated: they may be taken on the target."""

    completed_jobs: bool = False
    """Carry Jobs that have finished: a restore makes them anew, and so runs them again."""

    suspend_cron_jobs: bool = False
    """Set `spec.suspend` on every CronJob; otherwise it keeps the value that it has."""

    namespace_uid_ranges: bool = False
    """Keep the OpenShift annotations that tie a namespace to the uid range its old cluster gave it."""


@dataclass(frozen=True, slots=True)
class ClusterContext:
    """What a rule about one object must know of the others."""

    selecting_services: frozenset[str] = frozenset()
    """Names of the Services of its namespace that have a selector: a controller makes their Endpoints."""

    static_volumes: frozenset[str] = frozenset()
    """Names of the PersistentVolumes that nobody provisioned on demand (no `pv.kubernetes.io/provisioned-by`)."""


DEFAULTS = Policy()
"""Nothing that is left behind by default is kept."""

UNKNOWN_CLUSTER = ClusterContext()
"""Nothing is known of other objects."""
