"""Reserve the name of a backup while it is written or deleted, by one file in the store for both.

So an upload and a deletion under one name exclude each other, and so do two deletions. A reservation outlives a process
that died: that of a deletion expires once its process has ended (on another machine: after an hour), that of a writer
after a day.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson

from kubeferry.tasks.core.errors import KeyMissingError, KubeferryError, UsageError
from kubeferry.tasks.core.formats.lease import Holder
from kubeferry.tasks.ports.cluster.leases import me
from kubeferry.tasks.ports.local import clock, progress
from kubeferry.tasks.ports.local.processes import Process, alive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from kubeferry.tasks.core.formats.layout import BackupKeys
    from kubeferry.tasks.ports.store.base import Store

DELETING = timedelta(hours=1)
"""Age after which a deletion, which takes seconds, is taken for that of a process that died on another machine."""

WRITING = timedelta(days=1)
"""Time without a new file after which an upload is taken for that of a run that died."""

ABANDONED = timedelta(hours=1)
"""Age after which the reservation of an upload, which takes seconds, is taken for that of a run that died."""

TRIES = 3
"""Attempts to reserve a free name when others reserve and release it meanwhile."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """The holder of a backup's name."""

    deletes: bool
    """True if it deletes the backup, False if it writes one."""
    holder: str
    """The process, "" if it gave up and left the rest to the next one."""

    def gone(self, last: datetime, now: datetime) -> bool:
        """Return whether the holder has ended; `last` is the time of the last write under the name."""
        if not self.deletes:
            return now - last > WRITING
        holder = Holder.parse(self.holder)
        if holder is None:
            return True
        if holder.host == me("prune").host:
            return not alive(Process(holder.pid, holder.started))
        return now - last > DELETING


def read_mark(store: Store, keys: BackupKeys) -> Reservation | None:
    """Return the reservation of a backup's name, or None; one that cannot be parsed counts as a writer's."""
    try:
        return _parsed(store.get(keys.reservation))
    except KeyMissingError:
        return None


def _parsed(data: bytes) -> Reservation:
    try:
        found: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        found = {}
    found = found if isinstance(found, dict) else {}
    return Reservation(deletes=found.get("deletes") is True, holder=str(found.get("holder", "")))


@contextmanager
def reserved(store: Store, keys: BackupKeys, holder: str) -> Iterator[None]:
    """Reserve the name of a backup while its files are written; `holder` identifies this run over all its retries.

    Raises:
        UsageError: another run writes or deletes a backup of this name.
    """
    reserve(store, keys, holder)
    try:
        yield
    finally:
        _release(store, keys)


def reserve(store: Store, keys: BackupKeys, holder: str) -> None:
    """Write the reservation of a writer; see `reserved`."""
    held = orjson.dumps({"holder": holder, "since": clock.now().isoformat()})
    for entry in store.list(keys.folder):
        if entry.key == keys.reservation and clock.now() - entry.modified > ABANDONED:
            store.delete([keys.reservation])  # its run died long ago
    # A reservation of this holder is from an earlier try, which could not release it.
    if not store.put_new(keys.reservation, held) and _parsed(store.get(keys.reservation)).holder != holder:
        raise UsageError(f"backup {keys.name} is being written to or deleted from {store.url} by another run")


def _release(store: Store, keys: BackupKeys) -> None:
    """Release the name. A remaining reservation damages no backup and hides no error: a later run deletes it."""
    try:
        store.delete([keys.reservation])
    except KubeferryError as error:
        progress.note(f"the reservation of backup {keys.name} remains for now: {error}")


class Deletion:
    """The reservation of one backup for deletion; valid while `held`."""

    def __init__(self, store: Store, keys: BackupKeys, token: str) -> None:
        """Reserve nothing yet; `token` distinguishes runs of the same process."""
        self._store, self._keys = store, keys
        self._data = self._record(me(f"prune {token}").text())

    def _record(self, holder: str) -> bytes:
        return orjson.dumps({"holder": holder, "since": clock.now().isoformat(), "deletes": True})

    def take(self) -> bool:
        """Reserve the name; return False if another run holds it."""
        key = self._keys.reservation
        for _ in range(TRIES):
            if self._store.put_new(key, self._data) or self.held:
                return True
            mark = read_mark(self._store, self._keys)
            last = max((each.modified for each in self._store.list(self._keys.folder)), default=clock.now())
            if mark and not mark.gone(last, clock.now()):
                return False
            self._store.delete([key])
        return False

    @property
    def held(self) -> bool:
        """Return whether the reservation is still this run's."""
        try:
            return self._store.get(self._keys.reservation) == self._data
        except KeyMissingError:
            return False

    def let_go(self) -> None:
        """Delete the reservation: the backup is deleted, or nothing was done."""
        if self.held:
            self._store.delete([self._keys.reservation])

    def give_up(self) -> None:
        """Leave the reservation without a holder: the next run completes the deletion."""
        if self.held:
            self._store.put(self._keys.reservation, self._record(""))
