"""Hold and renew a Lease in each namespace in which a restore, an undo or a deletion works."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import (
    AlreadyExistsError,
    ConflictError,
    ForbiddenError,
    KubeferryError,
    NotFoundError,
    PermanentError,
)
from kubeferry.tasks.core.formats.target.lease import (
    LEASES,
    RENEW,
    SECONDS,
    Holder,
    expired,
    holder_of,
    lease,
    renewed,
    taken,
)
from kubeferry.tasks.core.jsondoc.printable import one_line
from kubeferry.tasks.core.kube.namespace_defaults import LEASE_NAME
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.local.processes import Process, ended, myself, space

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.ports.cluster.client import Cluster

TRIES = 5
"""Attempts to acquire a free Lease when others acquire and release it meanwhile."""


def me(restore: str) -> Holder:
    """Return this process as the holder of a Lease."""
    own = myself()
    return Holder(restore, socket.gethostname(), own.pid, own.started, space())


def dead(holder: Holder) -> bool:
    """Return whether the process of a holder has ended for certain.

    Certain it is only where this process would see it: on the same machine, in the same boot and pid namespace. All
    others are taken for alive until their Lease expires, whatever their host is called.
    """
    here = me(holder.restore).where()
    return here is not None and holder.where() == here and ended(Process(holder.pid, holder.started))


def since_boot() -> float:
    """Return seconds since boot, in which a machine that sleeps grows older too: others' clocks go on meanwhile."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def busy(cluster: Cluster, namespace: str, restore: str) -> str:
    """Return the holder of a namespace's Lease, "" if it is free: absent, expired, or of a dead local process."""
    live = cluster.find(LEASES, namespace, LEASE_NAME)
    return _busy(live, me(restore)) if live else ""


def _busy(live: Object, own: Holder) -> str:
    text = holder_of(live)
    if not text or text == own.text() or expired(live, clock.now()):
        return ""
    holder = Holder.parse(text)
    return "" if holder and dead(holder) else one_line(str(holder or text))


class Hold:
    """Leases of namespaces, renewed by a thread until they are released. Namespaces may be added at any time."""

    def __init__(self, cluster: Cluster, restore: str) -> None:
        """Hold no Lease yet; `restore` is the name in the holder identity."""
        self._cluster, self._own = cluster, me(restore)
        self._held: dict[str, Object] = {}
        """Namespace → its Lease, as this process last wrote it."""
        self._good: dict[str, float] = {}
        """Namespace → when this process began the last renewal that succeeded, in seconds since boot."""
        self._lost = ""
        self._end = Event()
        self._thread: Thread | None = None

    def take(self, namespaces: Iterable[str]) -> None:
        """Acquire the Leases of namespaces in sorted order, so that two restores cannot deadlock.

        Raises:
            PermanentError: another process holds one of them; the message names it.
        """
        for namespace in sorted(set(namespaces) - self._held.keys()):
            began = since_boot()
            self._held[namespace] = self._take(namespace)
            self._good[namespace] = began
            if self._thread is None:
                self._thread = Thread(target=self._renew, name=f"leases of {self._own.restore}", daemon=True)
                self._thread.start()

    def check(self) -> None:
        """Return if all Leases are still held. It is asked before each write.

        Raises:
            PermanentError: they were released, because the work was stopped; or another process acquired one, or may
                have, since this process could not renew it for its whole duration.
        """
        for namespace, good in self._good.copy().items():
            self._late(namespace, good)
        if self._lost or self._end.is_set():
            raise PermanentError(self._lost or f"{self._own.work} was stopped")

    def _late(self, namespace: str, good: float) -> bool:
        """Return whether a Lease has not been renewed for its whole duration: then it stays lost.

        Another process may have acquired it meanwhile, worked, and released it.
        """
        late = since_boot() - good > SECONDS
        if late and not self._lost:
            self._lost = (
                f"namespace {namespace}: its lease was not renewed for {SECONDS} s, so that others may work there now"
            )
        return late

    def release(self) -> None:
        """Release all Leases. One that cannot be deleted expires."""
        self._end.set()
        if self._thread:
            self._thread.join()
        for namespace in sorted(self._held):
            with suppress(KubeferryError):
                self._let_go(namespace)
        self._held.clear()

    def _let_go(self, namespace: str) -> None:
        try:
            self._delete(self._held[namespace])
        except ConflictError:  # written since: by another process, or by this one with an answer that was lost
            live = self._cluster.find(LEASES, namespace, LEASE_NAME)
            if live and holder_of(live) == self._own.text():
                self._delete(live)

    def _delete(self, seen: Object) -> None:
        meta = seen["metadata"]
        self._cluster.delete(LEASES, meta["namespace"], LEASE_NAME, uid=meta["uid"], revision=meta["resourceVersion"])

    def _take(self, namespace: str) -> Object:
        for _ in range(TRIES):
            try:
                return self._made(namespace) or self._taken(namespace)
            except (ConflictError, NotFoundError):
                continue  # another process was faster: read the Lease again
        raise PermanentError(f"namespace {namespace}: its lease {LEASE_NAME} changes holders all the time")

    def _made(self, namespace: str) -> Object | None:
        """Return a new Lease, None if there is one already; most namespaces have none."""
        try:
            return self._cluster.create(LEASES, namespace, lease(namespace, self._own, clock.now()))[0]
        except AlreadyExistsError:
            return None

    def _taken(self, namespace: str) -> Object:
        live = self._cluster.get(LEASES, namespace, LEASE_NAME)
        if holder_of(live) == self._own.text():
            return live  # from a first attempt, whose answer was lost
        if other := _busy(live, self._own):
            raise PermanentError(f"namespace {namespace} is being worked on by {other}")
        return self._write(live, taken(self._own, clock.now()))

    def _renew(self) -> None:
        while not self._end.wait(RENEW):
            for namespace in sorted(self._good.copy()):
                try:
                    self._renew_one(namespace)
                except KubeferryError:
                    continue  # the next turn tries again; `check` knows how long ago the last good one was

    def _renew_one(self, namespace: str) -> None:
        began = since_boot()
        if self._late(namespace, self._good[namespace]):
            return
        live = self._cluster.find(LEASES, namespace, LEASE_NAME)
        if live is None:
            self._again(namespace)
        elif holder_of(live) != self._own.text():
            other = one_line(str(Holder.parse(holder_of(live)) or holder_of(live)))
            self._lost = f"namespace {namespace} was taken over by {other}"
            return
        else:
            self._held[namespace] = self._write(live, renewed(clock.now()))
        self._good[namespace] = began

    def _again(self, namespace: str) -> None:
        """Make a Lease once more that somebody deleted; where its namespace goes, nobody else can work either."""
        with suppress(NotFoundError, ForbiddenError):
            made = self._made(namespace)
            if made is None:
                raise ConflictError(f"namespace {namespace}: another process made its lease")
            self._held[namespace] = made

    def _write(self, live: Object, spec: dict[str, Any]) -> Object:
        """Update a Lease at the resourceVersion that was read; a 409 if it has changed since."""
        seen = {"resourceVersion": live["metadata"]["resourceVersion"]}
        return self._cluster.patch(LEASES, live["metadata"]["namespace"], LEASE_NAME, {"metadata": seen, "spec": spec})
