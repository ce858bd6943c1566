"""Reserve the name of a backup while it is written or deleted, by one file in the store for both.

So an upload and a deletion under one name exclude each other, and so do two deletions. A writer renews its reservation
for as long as it works, and writes nothing more once it has lost it. A reservation outlives a process that died: that
of a deletion expires once its process has ended (on another machine: after an hour); that of a writer that was not
renewed for an hour goes to the next writer, and for a day to a prune. These times are by the clock of the store.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

import orjson

from kubeferry.tasks.core.errors import KeyMissingError, KubeferryError, NameTakenError, PermanentError
from kubeferry.tasks.core.formats.target.lease import Holder
from kubeferry.tasks.ports.cluster.leases import dead, me
from kubeferry.tasks.ports.local import clock, progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from kubeferry.tasks.core.formats.layout import BackupKeys
    from kubeferry.tasks.ports.store.base import Store

DELETING = timedelta(hours=1)
"""Age after which a deletion, which takes seconds, is taken for that of a process that died on another machine."""

WRITING = timedelta(days=1)
"""Time without a new file after which an upload is taken for that of a run that died."""

RENEWAL = timedelta(minutes=5)
"""Time between two renewals of a writer's reservation."""

ABANDONED = timedelta(hours=1)
"""Time without a renewal after which the reservation of a writer is taken for that of a run that died."""

DOUBTFUL = timedelta(minutes=30)
"""Time without a renewal after which a writer asks the store before it writes: its machine may have been asleep."""

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
        here = me("prune").where()
        if here is not None and holder.where() == here:
            return dead(holder)
        return now - last > DELETING  # it cannot be seen from here, whatever its host is called


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
def reserved(store: Store, keys: BackupKeys, holder: str) -> Iterator[Writing]:
    """Reserve the name of a backup while its files are written; `holder` identifies this run over all its retries.

    Raises:
        NameTakenError: another run writes or deletes a backup of this name.
    """
    writing = Writing(store, keys, holder, reserve(store, keys, holder))
    try:
        yield writing
    finally:
        writing.release()


def reserve(store: Store, keys: BackupKeys, holder: str) -> bytes:
    """Write the reservation of a writer, and return it; see `reserved`. Nothing renews it."""
    held = _record(holder)
    for _ in range(TRIES):
        if store.put_new(keys.reservation, held):
            return held
        try:
            found = store.get(keys.reservation)
        except KeyMissingError:
            continue  # released meanwhile
        mark = _parsed(found)
        # A reservation of this holder is from an earlier try, which could not release it.
        if not (mark.holder == holder or _abandoned(store, keys, mark)):
            break
        if store.swap(keys.reservation, found, held):
            return held
    raise NameTakenError(f"backup {keys.name} is being written to or deleted from {store.url} by another run")


def _record(holder: str) -> bytes:
    return orjson.dumps({"holder": holder, "since": clock.now().isoformat()})


def _abandoned(store: Store, keys: BackupKeys, mark: Reservation) -> bool:
    """Return whether the holder of a reservation has ended: it was not renewed for long, by the clock of the store."""
    now = store.clock() or clock.now()
    ages = [now - entry.modified for entry in store.list(keys.folder) if entry.key == keys.reservation]
    if not ages or ages[0] <= ABANDONED:
        return False
    return not mark.deletes or mark.gone(now - ages[0], now)


class Writing:
    """A writer's reservation of the name of a backup, renewed by a thread until it is released."""

    def __init__(self, store: Store, keys: BackupKeys, holder: str, data: bytes) -> None:
        """Renew the reservation `data` of `holder`, which is there."""
        self._store, self._keys, self._holder, self._data = store, keys, holder, data
        self._renewed, self._lost = clock.now(), False
        self._lock, self._end = Lock(), Event()
        self._thread = Thread(target=self._keep, name=f"reservation of {keys.name}", daemon=True)
        self._thread.start()

    def check(self, *, ask: bool = False) -> None:
        """Return if the name is still this run's; with `ask`, or if that is not sure, by asking the store.

        Raises:
            PermanentError: another run has taken it, after this one could not renew it for an hour.
            StoreUnavailableError: the store does not answer.
        """
        with self._lock:
            if not self._lost and (ask or self._doubtful):
                self._renew()
        if self._lost:
            raise PermanentError(
                f"backup {self._keys.name}: another run has taken its name in {self._store.url}, since this one could "
                "not renew its reservation: nothing more is written; back up again under another name"
            )

    def release(self) -> None:
        """Release the name, unless another run has it: a remaining reservation damages no backup and hides no error."""
        self._end.set()
        self._thread.join()
        try:
            if _parsed(self._store.get(self._keys.reservation)).holder == self._holder:
                self._store.forget([self._keys.reservation])
        except KeyMissingError:
            pass  # another run took it, and has released it
        except KubeferryError as error:
            progress.note(f"the reservation of backup {self._keys.name} remains for now: {error}")

    def _keep(self) -> None:
        while not self._end.wait(RENEWAL.total_seconds()):
            with suppress(KubeferryError), self._lock:  # `check` asks again, and says so
                self._renew()

    @property
    def _doubtful(self) -> bool:
        return not timedelta(0) <= clock.now() - self._renewed <= DOUBTFUL

    def _renew(self) -> None:
        began = clock.now()
        # Another run may be taking it at this moment, from what it has read: with a new content, one of us fails.
        data = _record(self._holder) if self._doubtful else self._data
        if self._store.swap(self._keys.reservation, self._data, data):
            self._data, self._renewed = data, began
            return
        try:
            found = self._store.get(self._keys.reservation)
        except KeyMissingError:
            found = b""
        if _parsed(found).holder == self._holder:
            self._data = found  # from an earlier renewal, whose answer was lost
        else:
            self._lost = True


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
            try:
                found = self._store.get(key)
            except KeyMissingError:
                continue  # released meanwhile
            mark = _parsed(found)
            last = max((each.modified for each in self._store.list(self._keys.folder)), default=clock.now())
            if not mark.gone(last, clock.now()):
                return False
            if self._store.swap(key, found, self._data):
                return True
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
            self._store.forget([self._keys.reservation])

    def give_up(self) -> None:
        """Leave the reservation without a holder: the next run completes the deletion."""
        if self.held:
            self._store.put(self._keys.reservation, self._record(""))
