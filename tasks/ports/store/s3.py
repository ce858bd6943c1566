"""A store in an S3 bucket, of Amazon or of any compatible server.

Keys are below a prefix of the bucket. Before the first conditional write, a probe checks that the server supports it;
where it does not, lock objects take its place (s3_locks.py).
"""

from __future__ import annotations

import hashlib
import io
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import KeyMissingError, StoreError
from kubeferry.tasks.core.formats.layout import check_folder, check_key, flaw
from kubeferry.tasks.core.jsondoc.limits import MAX_READ
from kubeferry.tasks.core.ops.clocks import parsed
from kubeferry.tasks.ports.local import files, progress
from kubeferry.tasks.ports.store import s3_locks, s3_versions
from kubeferry.tasks.ports.store.base import PROBES, Entry, Names, Store, go_on
from kubeferry.tasks.ports.store.s3_abilities import Lack
from kubeferry.tasks.ports.store.s3_client import BusyKeyError, TakenError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from kubeferry.tasks.ports.store.base import Lock
    from kubeferry.tasks.ports.store.s3_bucket import Bucket

WRITER = "kubeferry-writer"
"""The metadata field that identifies the writer of a conditional write."""
TRIES = 5
"""Attempts of a conditional write that conflicts with another one of the same key."""
NO_NEW = "this server takes a key whose newest version is a delete marker for one that exists: take another name"
LOCKS = f"{PROBES}/kubeferry-lock"
"""What the keys of lock objects begin with, in the folder that Velero does not look into."""
NO_TAG = f'"{"0" * 32}"'
"""An entity tag that no content has."""
DELETES = 8
"""Concurrent deletions."""


class S3Store(Store):
    """The files of `bucket` below `prefix` ("" or with a `/` at its end)."""

    def __init__(self, bucket: Bucket, prefix: str, locked: datetime | None = None) -> None:
        """Open it; what is written gets an Object Lock until `locked`, if that is given."""
        self.url = bucket.url
        self._bucket, self._prefix = bucket, prefix
        mode = bucket.settings.lock.upper()
        self._locks: dict[str, Any] = {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": locked} if locked else {}

    def put(self, key: str, data: bytes) -> None:
        """Save `data` under `key`; see `Store.put`."""
        self._bucket.send(self._full(key), data, **self._locks)

    def put_file(self, key: str, path: Path, check: Callable[[], None] = go_on) -> None:
        """Save the file at `path` under `key`, a large one in parts; see `Store.put_file`."""
        try:
            self._bucket.send_file(self._full(key), path, check, **self._locks)
        except OSError as error:
            raise StoreError(f"store {self.url}: {key}: cannot read {path}: {error.strerror}") from error

    def put_new(self, key: str, data: bytes) -> bool:
        """Save `data` if `key` does not exist; see `Store.put_new`."""
        full = self._full(key)
        self._try_conditions()
        if Lack.NEW not in self._bucket.abilities:
            return self._send_new(full, data, **self._locks)
        if self.exists(key):
            return False
        with s3_locks.alone(self._bucket, self._lock_prefix(key), self._forget) as check:
            if self.exists(key):
                return False
            check()
            self._bucket.send(full, data, **self._locks)
            return True

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        """Save `new` if the content is `old`; see `Store.swap`."""
        self._try_conditions()
        with suppress(KeyMissingError):  # at any of these requests
            if Lack.MATCH in self._bucket.abilities:
                with s3_locks.alone(self._bucket, self._lock_prefix(key), self._forget) as check:
                    if self.get(key) != old:
                        return False
                    check()
                    self._bucket.send(self._full(key), new)
                    return True
            tag = self._bucket.ask("head_object", self._full(key))["ETag"]
            return self.get(key) == old and self._send_over(key, tag, new)
        return False

    def _send_over(self, key: str, tag: str, new: bytes) -> bool:
        try:
            self._bucket.send(self._full(key), new, IfMatch=tag)
        except TakenError:
            # The library may have sent it twice: then the object is our own, from the first attempt.
            return self.get(key) == new
        return True

    def get(self, key: str, most: int = MAX_READ) -> bytes:
        """Return the content of `key`; see `Store.get`."""
        buffer = io.BytesIO()
        self._bucket.fetch(self._full(key), buffer, most)
        return buffer.getvalue()

    def get_file(self, key: str, path: Path) -> None:
        """Download `key` to the file `path`; see `Store.get_file`."""
        full = self._full(key)
        try:
            with files.written(path) as file:
                self._bucket.fetch(full, file)
        except OSError as error:
            raise StoreError(f"store {self.url}: {key}: cannot save it as {path}: {error.strerror}") from error

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yield every file below the folder `prefix`; see `Store.list`."""
        for page in self._bucket.pages(self._prefix + check_folder(prefix)):
            for found in page.get("Contents", ()):
                key = found["Key"].removeprefix(self._prefix)
                if key.endswith("/") and not found["Size"]:
                    continue  # the placeholder of an S3 console for an empty folder
                if why := flaw(key):
                    progress.note(f"store {self.url}: ignored {key!r}: {why}")
                else:
                    yield Entry(key, found["Size"], found["LastModified"].astimezone(UTC))

    def folders(self, prefix: str = "") -> Names:
        """Return the direct subfolders of `prefix`; see `Store.folders`. Placeholders of consoles count."""
        base = self._prefix + check_folder(prefix)
        names = []
        for page in self._bucket.pages(base, Delimiter="/"):
            for found in page.get("CommonPrefixes", ()):
                name = found["Prefix"].removeprefix(base).removesuffix("/")
                if why := flaw(name):
                    progress.note(f"store {self.url}: ignored the folder {name!r}: {why}")
                else:
                    names.append(name)
        return sorted(names)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete each of `keys`; see `Store.delete`."""
        full = [self._full(key) for key in keys]
        if len(full) == 1:
            self._remove(full[0])
            return
        # Not every server has DeleteObjects, and those that do require different checksums.
        with ThreadPoolExecutor(DELETES, "s3-delete") as pool:
            for _ in pool.map(self._remove, full):
                pass  # an error is raised here

    def forget(self, keys: Iterable[str]) -> None:
        """Delete each of `keys` with its versions; see `Store.forget`."""
        for key in keys:
            self._forget(self._full(key))

    @property
    def versions_stay(self) -> bool:
        """Whether deletions leave versions; see `Store.versions_stay`."""
        return not self._bucket.settings.expunge and self._bucket.keeps_versions()

    @property
    def limits(self) -> tuple[str, ...]:
        """Return what the server lacks; see `Store.limits`."""
        return self._bucket.abilities.lacks

    def locking(self, until: datetime) -> S3Store:
        """Return this store, with Object Lock; see `Store.locking`."""
        self._bucket.ask("get_object_lock_configuration", "--lock-until")
        return S3Store(self._bucket, self._prefix, until)

    def lock(self, keys: Iterable[str], now: datetime) -> Lock | None:
        """Return the lock that ends last; see `Store.lock`."""
        return s3_versions.longest(self._bucket, map(self._full, keys), now)

    def exists(self, key: str) -> bool:
        """Return whether `key` exists; see `Store.exists`."""
        full = self._full(key)
        # Not HEAD: its answer has no body that distinguishes a missing bucket from a missing key.
        page = self._bucket.ask("list_objects_v2", full, Prefix=full, MaxKeys=1)
        return any(found["Key"] == full for found in page.get("Contents", ()))

    def check_writable(self) -> None:
        """Write, read back and delete a small probe, and find out what the server lacks; see `Store.check_writable`."""
        super().check_writable()
        self._try_conditions()

    def clock(self) -> datetime | None:
        """Return the server's time; see `Store.clock`."""
        return parsed(self._bucket.date())

    def _full(self, key: str) -> str:
        return check_key(self._prefix + check_key(key))

    def _forget(self, full: str) -> None:
        if self._bucket.versioned:
            try:
                s3_versions.expunge(self._bucket, full)
            except StoreError as error:
                progress.note(f"store {self.url}: versions of {full} stay: {error}")
            else:
                return
        self._mark(full)

    def _remove(self, full: str) -> None:
        if self._bucket.settings.expunge and self._bucket.keeps_versions():
            s3_versions.expunge(self._bucket, full)
        else:
            self._mark(full)

    def _mark(self, full: str) -> None:
        with suppress(KeyMissingError):  # Amazon ignores a missing key, others may not
            self._bucket.ask("delete_object", full)

    def _send_new(self, full: str, data: bytes, **arguments: Any) -> bool:
        writer = uuid.uuid4().hex
        for left in reversed(range(TRIES)):
            try:
                self._bucket.send(full, data, {WRITER: writer}, IfNoneMatch="*", **arguments)
            except TakenError as error:
                # The library may have sent it twice: then the object is our own, from the first attempt.
                if (found := self._writer(full)) is not None:
                    return found == writer
                if not left:  # it was there and is not, each time
                    raise StoreError(f"store {self.url}: {full}: {NO_NEW}") from error
            except BusyKeyError:
                if not left:
                    raise
            else:
                break
        return True

    def _writer(self, full: str) -> str | None:
        """Return who wrote a key, "" if that is not known; None if there is no such key."""
        try:
            metadata: dict[str, str] = self._bucket.ask("head_object", full)["Metadata"]
        except KeyMissingError:
            return None  # deleted again since
        return metadata.get(WRITER, "")

    def _lock_prefix(self, key: str) -> str:
        return self._full(f"{LOCKS}-{hashlib.sha256(key.encode()).hexdigest()[:32]}-")

    def _try_conditions(self) -> None:
        """Find out, once, whether the server refuses conditional writes that it has to refuse.

        Older servers ignore the headers, and of two writers both would win; others answer that they have none.
        """
        known = self._bucket.abilities
        with known.probing:
            if known.probed:
                return
            probe = self._full(f"{PROBES}/kubeferry-probe-{uuid.uuid4().hex}")
            self._bucket.send(probe, b"")
            try:
                if not self._refuses(probe, IfNoneMatch="*"):
                    known.note(Lack.NEW)
                if not self._refuses(probe, IfMatch=NO_TAG):
                    known.note(Lack.MATCH)
            finally:
                self._forget(probe)
            known.probed = True

    def _refuses(self, probe: str, **condition: Any) -> bool:
        """Return whether the server refuses to write a key that exists because of a condition."""
        try:
            self._bucket.send(probe, b"", **condition)
        except (TakenError, BusyKeyError):
            return True
        except UnsupportedError:
            return False
        return False
