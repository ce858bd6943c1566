"""Who works in a namespace: a Lease of the target itself, so that a second restore, or a deletion, sees the first.

One Lease a namespace (coordination.k8s.io/v1, the API that Kubernetes' own leader election uses). Its holder renews it;
one that was not renewed for its whole duration belongs to a process that died, or that lost the cluster.
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
"""What credentials must allow with them in a namespace to work in it."""

SECONDS = 60
"""How long a lease is good without being renewed; clocks may differ by less than that."""

RENEW = 15
"""Seconds between two renewals: three may fail."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process at work: the restore that it does or undoes, its machine, its pid and when that started there.

    One that deletes has words in the place of a restore's name: `delete bundle web`.
    """

    restore: str
    host: str
    pid: int
    started: str

    def text(self) -> str:
        """Return what stands in `spec.holderIdentity`."""
        return f"{self.restore}@{self.host}/{self.pid}/{self.started}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the holder that `text` names; None where others wrote it."""
        restore, at, where = text.partition("@")
        host, _, rest = where.partition("/")
        pid, _, started = rest.partition("/")
        return cls(restore, host, int(pid), started) if at and pid.isdecimal() else None

    def __str__(self) -> str:
        """Return it as a person reads it."""
        return f"{self.work} (process {self.pid} on {self.host})"

    @property
    def work(self) -> str:
        """Return what it does, in words; a restore's name has no spaces."""
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
    """Return the spec of a Lease that `holder` takes now."""
    return {
        "holderIdentity": holder.text(),
        "leaseDurationSeconds": SECONDS,
        "acquireTime": _micro(now),
        "renewTime": _micro(now),
    }


def renewed(now: datetime) -> dict[str, Any]:
    """Return what changes in the spec of a Lease that is renewed now."""
    return {"renewTime": _micro(now)}


def holder_of(live: Object) -> str:
    """Return who holds a Lease, as text; "" for one that nobody does."""
    return str(get(live, "spec", "holderIdentity") or "")


def expired(live: Object, now: datetime) -> bool:
    """Return whether a Lease was not renewed for as long as it is good; one without a readable time is."""
    try:
        last = datetime.fromisoformat(str(get(live, "spec", "renewTime")))
        seconds = int(get(live, "spec", "leaseDurationSeconds") or 0)
    except ValueError:
        return True
    return now - last > timedelta(seconds=seconds)


def _micro(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
