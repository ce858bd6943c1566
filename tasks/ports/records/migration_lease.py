"""Hold a migration while it is begun or resumed, by one file in its store, so that two runs never resume it at once.

Its holder renews the lease. One whose process has ended on this machine is taken over at once, any other when it was
not renewed for its whole duration, by the clock of the store. Workers that restore its namespaces hold no lease of it:
each namespace has one of its own on the target.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import orjson

from kubeferry.tasks.core.errors import KeyMissingError, KubeferryError, PermanentError
from kubeferry.tasks.core.formats.layout import MigrationKeys
from kubeferry.tasks.core.formats.target.lease import Holder
from kubeferry.tasks.core.jsondoc.printable import one_line
from kubeferry.tasks.ports.cluster.leases import dead, me, since_boot
from kubeferry.tasks.ports.local import clock, progress

if TYPE_CHECKING:
    from kubeferry.tasks.ports.store.base import Store

VALID = timedelta(minutes=2)
"""How long a lease is valid without a renewal."""

RENEWAL = timedelta(seconds=20)
"""Time between two renewals: some may fail."""

TRIES = 5
"""Attempts to take a free lease when others take and release it meanwhile."""


class MigrationLease:
    """The lease of one migration, renewed by a thread until it is released."""

    def __init__(self, store: Store, name: str, run: str) -> None:
        """Take it; `run` tells the runs of one process apart.

        Raises:
            PermanentError: another run holds it; the message names its process.
        """
        self._store, self._key, self._name = store, MigrationKeys(name).lease, name
        own = {"holder": me(f"migrate {name}").text(), "run": run, "since": clock.now().isoformat()}
        self._data = orjson.dumps(own)
        self._lost = ""
        self._end = Event()
        self._good = since_boot()
        self._take()
        self._thread = Thread(target=self._keep, name=f"lease of migration {name}", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Return if the migration is still this run's. It is asked before each namespace.

        Raises:
            PermanentError: another run has taken it over, or may have, as this one could not renew its lease.
        """
        if not self._lost and since_boot() - self._good > VALID.total_seconds():
            self._lost = f"its lease was not renewed for {VALID.seconds} s, so that another run may have resumed it"
        if self._lost:
            raise PermanentError(f"migration {self._name}: {self._lost}: nothing more of it is begun here")

    def release(self) -> None:
        """Release it, unless another run has it. One that cannot be released expires."""
        self._end.set()
        self._thread.join()
        try:
            if self._read() == self._data:
                self._store.forget([self._key])
        except KubeferryError as error:
            progress.note(f"the lease of migration {self._name} remains for {VALID.seconds} s: {error}")

    def _take(self) -> None:
        for _ in range(TRIES):
            if self._store.put_new(self._key, self._data):
                return
            found = self._read()
            if found is None:
                continue  # released meanwhile
            if found == self._data:
                return  # from a first attempt, whose answer was lost
            holder, left = _holder(found), self._left()
            if left > timedelta(0) and not (holder and dead(holder)):
                who = one_line(str(holder)) if holder else "another run"
                raise PermanentError(
                    f"migration {self._name} is being worked on by {who}: if that has crashed, resume it in "
                    f"{left.total_seconds():.0f} s"
                )
            if self._store.swap(self._key, found, self._data):
                return
        raise PermanentError(f"migration {self._name}: its lease changes holders all the time")

    def _left(self) -> timedelta:
        """Return how long the lease of another run is still valid, by the clock of the store."""
        now = self._store.clock() or clock.now()
        folder = MigrationKeys(self._name).folder
        ages = [now - each.modified for each in self._store.list(folder) if each.key == self._key]
        # One that is dated ahead is valid for no longer than its duration.
        return min(VALID - ages[0], VALID) if ages else timedelta(0)

    def _read(self) -> bytes | None:
        with suppress(KeyMissingError):
            return self._store.get(self._key)
        return None

    def _keep(self) -> None:
        while not self._lost and not self._end.wait(RENEWAL.total_seconds()):
            with suppress(
                KubeferryError
            ):  # the next turn tries again; `check` knows how long ago the last good one was
                self._renew()

    def _renew(self) -> None:
        began = since_boot()
        if self._store.swap(self._key, self._data, self._data):
            self._good = began
            return
        found = self._read()
        holder = _holder(found) if found else None
        self._lost = f"it was taken over by {one_line(str(holder))}" if holder else "its lease was deleted"


def _holder(data: bytes) -> Holder | None:
    try:
        found: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return Holder.parse(str(found.get("holder", ""))) if isinstance(found, dict) else None
