"""The Lease that marks a namespace as in use, so that a second restore, or a deletion, detects the first.

There is one Lease per namespace, on the target cluster (coordination.k8s.io/v1, as in Kubernetes' own leader election).
Its holder renews it. A Lease that was not renewed for its whole duration has expired: its holder died or lost the
cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.kube.namespace_defaults import LEASE_NAME
from kubeferry.tasks.core.kube.resources import ResourceType

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object

LEASES = ResourceType("coordination.k8s.io", "v1", "Lease", "leases", namespaced=True)

LEASE_VERBS = ("create", "delete", "get", "patch")
"""The permissions for Leases that are needed in a namespace."""

SECONDS = 60
"""How long a Lease is valid without a renewal; clocks must not differ by more."""

RENEW = 15
"""Seconds between two renewals: three in a row may fail."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a Lease: the restore that it runs or reverts, its host, its pid and its start time.

    A deletion has a phrase in place of the name of a restore: `delete bundle web`.
    """

    restore: str
    host: str
    pid: int
    started: str

    def text(self) -> str:
        """Return the value of `spec.holderIdentity`."""
        return f"{self.restore}@{self.host}/{self.pid}/{self.started}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse the value of `spec.holderIdentity`; None if it is not of this form."""
        restore, at, where = text.partition("@")
        host, _, rest = where.partition("/")
        pid, _, started = rest.partition("/")
        return cls(restore, host, int(pid), started) if at and pid.isdecimal() else None

    def __str__(self) -> str:
        """Return the holder as shown to a user."""
        return f"{self.work} (process {self.pid} on {self.host})"

    @property
    def work(self) -> str:
        """Return what the process does; the name of a restore has no blanks."""
        return self.restore if " " in self.restore else f"restore {self.restore}"


def lease(namespace: str, holder: Holder, now: datetime) -> Object:
    """Return the Lease to create."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": LEASE_NAME, "namespace": namespace},
        "spec": taken(holder, now),
    }


def taken(holder: Holder, now: datetime) -> dict[str, Any]:
    """Return the spec of a Lease that `holder` acquires now."""
    return {
        "holderIdentity": holder.text(),
        "leaseDurationSeconds": SECONDS,
        "acquireTime": _micro(now),
        "renewTime": _micro(now),
    }


def renewed(now: datetime) -> dict[str, Any]:
    """Return the changes to the spec of a Lease that is renewed now."""
    return {"renewTime": _micro(now)}


def holder_of(live: Object) -> str:
    """Return the holder of a Lease, as text; "" if there is none."""
    return str(get(live, "spec", "holderIdentity") or "")


def expired(live: Object, now: datetime) -> bool:
    """Return whether a Lease has expired; one without a valid time has."""
    try:
        last = datetime.fromisoformat(str(get(live, "spec", "renewTime")))
        seconds = int(get(live, "spec", "leaseDurationSeconds") or 0)
    except ValueError:
        return True
    return now - last > timedelta(seconds=seconds)


def _micro(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
