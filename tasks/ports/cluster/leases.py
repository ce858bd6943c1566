"""Hold and renew a Lease in each namespace in which a restore, an undo or a deletion works."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import AlreadyExistsError, ConflictError, KubeferryError, NotFoundError, PermanentError
from kubeferry.tasks.core.formats.lease import LEASES, RENEW, Holder, expired, holder_of, lease, renewed, taken
from kubeferry.tasks.core.kube.namespace_defaults import LEASE_NAME
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.local.processes import Process, alive, myself

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.ports.cluster.client import Cluster

TRIES = 5
"""Attempts to acquire a free Lease when others acquire and release it meanwhile."""


def me(restore: str) -> Holder:
    """Return this process as the holder of a Lease."""
    own = myself()
    return Holder(restore, socket.gethostname(), own.pid, own.started)


def busy(cluster: Cluster, namespace: str, restore: str) -> str:
    """Return the holder of a namespace's Lease, "" if it is free: absent, expired, or of a dead local process."""
    live = cluster.find(LEASES, namespace, LEASE_NAME)
    return _busy(live, me(restore)) if live else ""


def _busy(live: Object, own: Holder) -> str:
    text = holder_of(live)
    if not text or text == own.text() or expired(live, clock.now()):
        return ""
    holder = Holder.parse(text)
    if holder and holder.host == own.host and not alive(Process(holder.pid, holder.started)):
        return ""
    return str(holder or text)


class Hold:
    """Leases of namespaces, renewed by a thread until they are released. Namespaces may be added at any time."""

    def __init__(self, cluster: Cluster, restore: str) -> None:
        """Hold no Lease yet; `restore` is the name in the holder identity."""
        self._cluster, self._own = cluster, me(restore)
        self._held: dict[str, Object] = {}
        """Namespace → its Lease, as this process last wrote it."""
        self._lost = ""
        self._end = Event()
        self._thread: Thread | None = None

    def take(self, namespaces: Iterable[str]) -> None:
        """Acquire the Leases of namespaces in sorted order, so that two restores cannot deadlock.

        Raises:
            PermanentError: another process holds one of them; the message names it.
        """
        for namespace in sorted(set(namespaces) - self._held.keys()):
            self._held[namespace] = self._take(namespace)
        if self._held and self._thread is None:
            self._thread = Thread(target=self._renew, name=f"leases of {self._own.restore}", daemon=True)
            self._thread.start()

    def check(self) -> None:
        """Return if all Leases are still held.

        Raises:
            PermanentError: they were released, because the work was stopped; or another process acquired one, after
                this process could not renew it for its whole duration.
        """
        if self._lost or self._end.is_set():
            raise PermanentError(self._lost or f"{self._own.work} was stopped")

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
            for namespace in sorted(self._held):
                try:
                    self._renew_one(namespace)
                except KubeferryError:
                    continue

    def _renew_one(self, namespace: str) -> None:
        live = self._cluster.find(LEASES, namespace, LEASE_NAME)
        if live is None:  # deleted, for example with its namespace
            return
        if holder_of(live) != self._own.text():
            self._lost = f"namespace {namespace} was taken over by {Holder.parse(holder_of(live)) or holder_of(live)}"
            return
        self._held[namespace] = self._write(live, renewed(clock.now()))

    def _write(self, live: Object, spec: dict[str, Any]) -> Object:
        """Update a Lease at the resourceVersion that was read; a 409 if it has changed since."""
        seen = {"resourceVersion": live["metadata"]["resourceVersion"]}
        return self._cluster.patch(LEASES, live["metadata"]["namespace"], LEASE_NAME, {"metadata": seen, "spec": spec})
