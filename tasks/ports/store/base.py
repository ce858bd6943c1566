"""The contract of a store of files under keys, for a local folder and an S3 bucket.

Keys are relative POSIX paths such as `backups/shop/velero-backup.json`. Keys come from users, and from stores that
others may write to, so every key is checked before use: a key that could leave the store's root is refused.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import StoreError, UsageError
from kubeferry.tasks.core.jsondoc.limits import MAX_READ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

PROBES = "metadata"
"""The folder of write probes. Velero marks a BackupStorageLocation as unavailable if its root contains an unknown
folder, and lists `backups/` and `restores/` as names of backups and restores; it knows `metadata/`, but neither reads
nor lists it (velero pkg/persistence/object_store_layout.go)."""


@dataclass(frozen=True, slots=True)
class Lock:
    """What keeps a file from being deleted (Object Lock of S3)."""

    until: datetime | None
    """The end of its retention; None without one."""
    mode: str
    """GOVERNANCE or COMPLIANCE."""
    held: bool
    """It has a legal hold, which ends when somebody takes it away."""

    @property
    def rank(self) -> tuple[bool, str]:
        """What locks are sorted by, that which ends last at the end."""
        return (self.held, self.until.isoformat() if self.until else "")

    def __str__(self) -> str:
        """Return it as people read it, after `locked`."""
        if self.until and not self.held:
            return f"until {self.until:%Y-%m-%d %H:%M} UTC ({self.mode})"
        return "by a legal hold"


Names = list[str]
"""An alias, because the method `list` below hides the type in annotations."""


def go_on() -> None:
    """Do not stop an upload: the default of `Store.put_file`."""


@dataclass(frozen=True)
class Entry:
    """A file of a store."""

    key: str
    size: int
    """Bytes."""
    modified: datetime
    """Time of the last write by the store's clock, in UTC."""


class Store(ABC):
    """Files under keys; safe for use by many threads. Writes are atomic: a file is complete or absent.

    Every method raises StoreError (permanent: not writable, no such bucket, access denied, disk full),
    StoreUnavailableError (not reachable, after bounded retries) or UsageError (an invalid key).
    """

    url: str
    """The store's URL as shown to users; contains no credentials."""

    @abstractmethod
    def put(self, key: str, data: bytes) -> None:
        """Save `data` under `key`; replace an existing file."""

    @abstractmethod
    def put_file(self, key: str, path: Path, check: Callable[[], None] = go_on) -> None:
        """Save the file at `path` under `key`; replace an existing file. Memory does not grow with its size.

        `check` is called before each part, by any thread; if it raises, the upload ends with that and saves nothing.
        """

    @abstractmethod
    def put_new(self, key: str, data: bytes) -> bool:
        """Save `data` only if `key` does not exist; return whether it was saved. Of many writers exactly one wins.

        Raises:
            StoreError: (also) the server has neither conditional writes nor a listing that has what was just written,
                so nothing can guarantee this.
        """

    @abstractmethod
    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        """Save `new` under `key` only if its content is `old`; return whether it was. Of many callers exactly one wins.

        With `new` equal to `old` the file gets a new time of modification, and nothing else changes.
        """

    @abstractmethod
    def get(self, key: str, most: int = MAX_READ) -> bytes:
        """Return the content of `key`, of at most `most` bytes; for files that fit into memory.

        Raises:
            KeyMissingError: the key does not exist.
            DamagedError: the content is not what was saved, or is larger than `most`.
        """

    @abstractmethod
    def get_file(self, key: str, path: Path) -> None:
        """Download `key` to the file `path` in chunks; `path` exists only when it is complete.

        Raises:
            KeyMissingError: the key does not exist.
            DamagedError: the content is not what was saved.
        """

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yield every file below the folder `prefix` (with or without a trailing `/`; "" is the root), in any order.

        An invalid key (others may write to the store, too) is ignored, with a progress note.
        """

    @abstractmethod
    def folders(self, prefix: str = "") -> Names:
        """Return the sorted names of the direct subfolders of `prefix` that contain a file."""

    @abstractmethod
    def delete(self, keys: Iterable[str]) -> None:
        """Delete each of `keys`; a missing key is no error.

        Neither `list` nor any other method shows it afterwards. In a versioned bucket its content stays as a version
        (`versions_stay`), unless the URL has `versions=delete`.
        """

    def forget(self, keys: Iterable[str]) -> None:
        """Delete each of `keys`, in a versioned bucket with all its versions where these credentials may.

        For what is of use to nobody once it is gone: reservations and probes.
        """
        self.delete(keys)

    @property
    def versions_stay(self) -> bool:
        """Whether what `delete` deletes stays as a version and frees no bytes."""
        return False

    @property
    def limits(self) -> tuple[str, ...]:
        """What the store cannot do, with what is done instead: a sentence each, of what was tried so far."""
        return ()

    def locking(self, until: datetime) -> Store:
        """Return this store, with Object Lock: what is written by it cannot be deleted before `until`, in UTC.

        Raises:
            UsageError: it has no Object Lock.
        """
        raise UsageError(
            f"store {self.url} cannot lock until {until:%Y-%m-%d}: a folder has no Object Lock, as buckets may"
        )

    def lock(self, keys: Iterable[str], now: datetime) -> Lock | None:
        """Return the lock of `keys` that ends last after `now`, None if none is locked. A missing key has none."""
        del keys, now
        return None

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Return whether `key` exists."""

    @abstractmethod
    def clock(self) -> datetime | None:
        """Return the time of the store's clock, in UTC; None if it shows none.

        A server's is that of the Date header of an answer, in whole seconds; a folder's that of a file just written,
        which on a network file system is a server's too.
        """

    def check_writable(self) -> None:
        """Write, read back and delete a small probe, so that a backup fails before its work and not after it.

        Afterwards `limits` has all that a backup needs and this store lacks.

        Raises:
            StoreError: the content read back differs from what was written, or as for every method.
        """
        key, data = f"{PROBES}/kubeferry-probe-{uuid.uuid4().hex}", uuid.uuid4().bytes
        self.put(key, data)
        try:
            if self.get(key) != data:
                raise StoreError(f"store {self.url}: the content read back differs from what was written")
        finally:
            self.forget([key])
