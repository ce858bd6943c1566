"""A store of files under keys: a local folder or an S3 bucket, opened by its URL, with one contract for both.

Keys are relative POSIX paths such as `backups/shop/velero-backup.json`. Keys come from users, and from stores that
others may write to, so every key is checked before it is used: what could leave the store's root is refused. A URL
never carries credentials: S3's come from the usual AWS chain.
"""

from __future__ import annotations

import re
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from tasks.core.errors import StoreError, UsageError
from tasks.core.keys import check_folder
from tasks.core.limits import MAX_READ
from tasks.ports import places

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

PROBES = "metadata"
"""The folder of write probes. Velero takes a location as unavailable when its root holds a folder it does not know, and
lists `backups/` and `restores/` as names of backups and restores; `metadata/` it knows, reads no more and never lists
(velero pkg/persistence/object_store_layout.go)."""

PARAMETERS = {"endpoint", "region"}
BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
"""S3's naming rules, loosely: other servers allow more. What matters: no `:` and no `@`, so no credentials."""

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


def open_store(url: str | None = None) -> Store:
    """Open the store at `url`; None is the user's own folder (`tasks.ports.places.store()`).

    Nothing is asked or written yet: use `check_writable` for that.

    Args:
        url: `file:///path` or `s3://bucket/prefix?endpoint=…&region=…`.

    Raises:
        UsageError: a URL that names no store, or one with credentials in it (which are not echoed).
    """
    if not url:
        return _open_folder(places.store())
    parts = _split(url)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or parts.query or not parts.path.startswith("/"):
            raise UsageError("the file:// store's URL names no folder: write file:///path/of/the/folder")
        return _open_folder(Path(unquote(parts.path)))
    if parts.scheme == "s3":
        return _open_bucket(parts)
    raise UsageError("the store's URL is not understood: write file:///path or s3://bucket/prefix?endpoint=…&region=…")


def _split(url: str) -> SplitResult:
    """Take `url` apart, unless it holds credentials; no message echoes it, since any part may be a secret."""
    try:
        parts = urlsplit(url)
        hosts = [parts.netloc, *(urlsplit(value).netloc for _, value in parse_qsl(parts.query))]
    except ValueError:
        raise UsageError("the store's URL cannot be read") from None  # the cause quotes the URL
    if any("@" in host for host in hosts) or ":" in parts.netloc:
        raise UsageError("the store's URL holds credentials: leave them to the AWS chain (AWS_PROFILE…)")
    return parts


def _open_folder(path: Path) -> Store:
    from tasks.ports.local_store import LocalStore

    return LocalStore(path)


def _open_bucket(parts: SplitResult) -> Store:
    from tasks.ports.s3_bucket import Bucket
    from tasks.ports.s3_store import S3Store

    if not BUCKET.fullmatch(parts.netloc):
        raise UsageError("the s3:// store's URL names no bucket: write s3://bucket/prefix")
    given = dict(parse_qsl(parts.query))
    if unknown := sorted(given.keys() - PARAMETERS):
        raise UsageError(f"the s3:// store's URL has the parameter {unknown[0]!r}: only endpoint and region are known")
    endpoint = given.get("endpoint")
    if endpoint and urlsplit(endpoint).scheme not in ("http", "https"):
        raise UsageError(f"the s3:// store's endpoint {endpoint!r} is no http:// or https:// URL")
    prefix = check_folder(unquote(parts.path).strip("/"))
    shown = "&".join(f"{name}={quote(value, safe=':/')}" for name, value in sorted(given.items()))
    url = f"s3://{parts.netloc}/{prefix}".rstrip("/") + (f"?{shown}" if shown else "")
    return S3Store(Bucket(url, parts.netloc, endpoint, given.get("region")), prefix)
