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

PROCESS = 2
"""Parts of a holder that identify its process on its machine: pid and start time."""

DIGITS = 10
"""More than a pid has (Linux: at most 4194304)."""

LEASES = ResourceType("coordination.k8s.io", "v1", "Lease", "leases", namespaced=True)

LEASE_VERBS = ("create", "delete", "get", "patch")
"""The permissions for Leases that are needed in a namespace."""

SECONDS = 60
"""How long a Lease is valid without a renewal; clocks must not differ by more."""

AHEAD = 60
"""Seconds by which a Lease may be dated ahead, as the clocks of two machines differ. Whoever may write Leases could
date one into the next century: such a Lease has expired."""

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
    """The boot id of its machine and its start in ticks since boot."""
    space: str = ""
    """Its pid namespace and its machine id (hashed): two machines may share a host name. "" if it does not say."""

    def text(self) -> str:
        """Return the value of `spec.holderIdentity`.

        Version 0.1.0 reads `host/pid/started` and takes a holder of its own host name, whose process it does not find,
        for dead. The pid namespace comes first, so that it cannot read this: what it cannot read only expires.
        """
        space = f"{self.space}/" if self.space else ""
        return f"{self.restore}@{self.host}/{space}{self.pid}/{self.started}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse the value of `spec.holderIdentity`, also as version 0.1.0 wrote it; None if it is not of this form."""
        restore, at, where = text.partition("@")
        host, *rest = where.split("/")
        space, rest = "/".join(rest[:-2]), rest[-2:]
        if not (at and len(rest) == PROCESS and rest[0].isascii() and rest[0].isdecimal() and len(rest[0]) < DIGITS):
            return None
        return cls(restore, host, int(rest[0]), rest[1], space)

    def where(self) -> tuple[str, str] | None:
        """Return what two processes share that see each other: machine, boot and pid namespace; None if unknown."""
        boot = self.started.rpartition(":")[0]
        return (self.space, boot) if self.space and boot else None

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
    """Return whether a Lease has expired; one without a valid time has.

    So has one that is dated ahead, and none is good for longer than Kubeferry's own: a tenant who may write Leases
    must not keep a namespace for ever.
    """
    try:
        last = datetime.fromisoformat(str(get(live, "spec", "renewTime")))
        seconds = min(int(get(live, "spec", "leaseDurationSeconds") or 0), SECONDS)
        age = now - last
    except (TypeError, ValueError):  # no time, or one without a zone
        return True
    return age > timedelta(seconds=seconds) or age < -timedelta(seconds=AHEAD)


def _micro(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
