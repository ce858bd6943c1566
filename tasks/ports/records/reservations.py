"""Hold the name of a backup while it is written, and, by the same mark, while it is taken away.

So a deletion and an upload under one name exclude each other, and so do two deletions. A mark outlives a process that
died: one that deletes is free once its process is gone (on another machine: after an hour), one that writes after a
day.
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
"""After this long a deletion, which takes seconds, is one of a process that died on a machine that cannot be asked."""

WRITING = timedelta(days=1)
"""After this long without a new file an upload is that of a run that died."""

ABANDONED = timedelta(hours=1)
"""After this long the mark of an upload, which takes seconds, is that of a run that died."""

TRIES = 3
"""How often a free name is asked for when others take and leave it meanwhile."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Who holds the name of a backup."""

    deletes: bool
    """It takes the backup away; else it writes one."""
    holder: str
    """The process, "" when it gave up and left the rest to the next one."""

    def gone(self, last: datetime, now: datetime) -> bool:
        """Return whether nobody is at work any more; `last` is when something was last written there."""
        if not self.deletes:
            return now - last > WRITING
        holder = Holder.parse(self.holder)
        if holder is None:
            return True
        if holder.host == me("prune").host:
            return not alive(Process(holder.pid, holder.started))
        return now - last > DELETING


def read_mark(store: Store, keys: BackupKeys) -> Reservation | None:
    """Return who holds the name of a backup, None for nobody; a mark that cannot be read is that of a writer."""
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
    """Hold the name of a backup while its files are written; `holder` tells this run from others, over all its tries.

    Raises:
        UsageError: another run writes a backup of that name, or deletes it.
    """
    reserve(store, keys, holder)
    try:
        yield
    finally:
        _release(store, keys)


def reserve(store: Store, keys: BackupKeys, holder: str) -> None:
    """Put the mark of a writer; see `reserved`."""
    held = orjson.dumps({"holder": holder, "since": clock.now().isoformat()})
    for entry in store.list(keys.folder):
        if entry.key == keys.reservation and clock.now() - entry.modified > ABANDONED:
            store.delete([keys.reservation])  # its run died long ago
    # What is its own is of an earlier try, whose end the store did not hear of.
    if not store.put_new(keys.reservation, held) and _parsed(store.get(keys.reservation)).holder != holder:
        raise UsageError(f"backup {keys.name} is being written to or deleted from {store.url} by another run")


def _release(store: Store, keys: BackupKeys) -> None:
    """Let the name go. A mark that stays spoils no backup and hides no error: another run takes it away later."""
    try:
        store.delete([keys.reservation])
    except KubeferryError as error:
        progress.note(f"the mark of backup {keys.name} stays for now: {error}")


class Deletion:
    """The right to take one backup away, as long as `held`."""

    def __init__(self, store: Store, keys: BackupKeys, token: str) -> None:
        """Hold nothing yet; `token` tells this run from others of the same process."""
        self._store, self._keys = store, keys
        self._data = self._mark(me(f"prune {token}").text())

    def _mark(self, holder: str) -> bytes:
        return orjson.dumps({"holder": holder, "since": clock.now().isoformat(), "deletes": True})

    def take(self) -> bool:
        """Take the mark; return whether nobody else has it."""
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
        """Return whether the mark is still this run's."""
        try:
            return self._store.get(self._keys.reservation) == self._data
        except KeyMissingError:
            return False

    def let_go(self) -> None:
        """Take the mark off: everything is gone, or nothing was done."""
        if self.held:
            self._store.delete([self._keys.reservation])

    def give_up(self) -> None:
        """Leave the mark without a holder: the next run finishes what is half done."""
        if self.held:
            self._store.put(self._keys.reservation, self._mark(""))
