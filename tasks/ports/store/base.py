"""What a store of files under keys promises: one contract for a local folder and an S3 bucket.

Keys are relative POSIX paths such as `backups/shop/velero-backup.json`. Keys come from users, and from stores that
others may write to, so every key is checked before it is used: what could leave the store's root is refused.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import StoreError
from kubeferry.tasks.core.jsondoc.limits import MAX_READ

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

PROBES = "metadata"
"""The folder of write probes. Velero takes a location as unavailable when its root holds a folder it does not know, and
lists `backups/` and `restores/` as names of backups and restores; `metadata/` it knows, reads no more and never lists
(velero pkg/persistence/object_store_layout.go)."""


Names = list[str]
"""`list` is also a method below, which hides the type from the methods' annotations."""


@dataclass(frozen=True)
class Entry:
    """A file of a store."""

    key: str
    size: int
    """Bytes."""
    modified: datetime
    """When it was last written by the store's clock, in UTC."""


class Store(ABC):
    """Files under keys; may be used by many threads at once. A file is there whole or not at all.

    Every method raises StoreError (refused for good: not writable, no such bucket, access denied, disk full),
    StoreUnavailableError (out of reach, after bounded retries) or UsageError (a key that no store may hold).
    """

    url: str
    """How the store is shown to people; holds no secret."""

    @abstractmethod
    def put(self, key: str, data: bytes) -> None:
        """Save `data` under `key`, in place of what was there."""

    @abstractmethod
    def put_file(self, key: str, path: Path) -> None:
        """Save the file at `path` under `key`, in place of what was there; memory does not grow with its size."""

    @abstractmethod
    def put_new(self, key: str, data: bytes) -> bool:
        """Save `data` only if nothing is under `key`; tell whether that was so. Of many at once exactly one wins.

        Raises:
            StoreError: (also) the server has no conditional writes, so it cannot promise this.
        """

    @abstractmethod
    def get(self, key: str, most: int = MAX_READ) -> bytes:
        """Return what is under `key`; for files that fit into memory, of `most` bytes.

        Raises:
            KeyMissingError: nothing is there.
            DamagedError: what came is not what was saved, or is larger than `most`.
        """

    @abstractmethod
    def get_file(self, key: str, path: Path) -> None:
        """Save what is under `key` as the file `path`, a piece at a time; `path` is there only when it is whole.

        Raises:
            KeyMissingError: nothing is there.
            DamagedError: what came is not what was saved.
        """

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yield every file below the folder `prefix` (with or without a last `/`; "" is the root), in no set order.

        A key that no store may hold (others can write here too) is left out, and told as a progress note.
        """

    @abstractmethod
    def folders(self, prefix: str = "") -> Names:
        """Return the names, sorted, of the folders right inside the folder `prefix` that hold any file."""

    @abstractmethod
    def delete(self, keys: Iterable[str]) -> None:
        """Remove what is under each of `keys`; what is not there is no error."""

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Tell whether something is under `key`."""

    def date(self) -> str:
        """Return the time of the store's server, as the Date header of an answer tells it; "" for a folder."""
        return ""

    def check_writable(self) -> None:
        """Write, read back and remove a small probe, so that a backup fails before its work and not after.

        Raises:
            StoreError: what was read back is not what was written, or as for every method.
        """
        key, data = f"{PROBES}/kubeferry-probe-{uuid.uuid4().hex}", uuid.uuid4().bytes
        self.put(key, data)
        try:
            if self.get(key) != data:
                raise StoreError(f"store {self.url}: what was written is not what is read back")
        finally:
            self.delete([key])
