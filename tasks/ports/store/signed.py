"""A store that signs what is written and takes only what is signed, for whoever gave keys (ports/local/keys.py).

Every reader of a store goes through this (`open_store`), so no door can forget it. Signed are the files that say what
there is and what to do: a backup's Backup object, which has the digest of its manifest, which has those of all other
files; header, journal and previous contents of a restore; the records of a migration (core/formats/layout.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import KeyMissingError, SignatureError, UsageError
from kubeferry.tasks.core.formats.layout import signature_key
from kubeferry.tasks.core.jsondoc.limits import MAX_READ
from kubeferry.tasks.ports.local import keys
from kubeferry.tasks.ports.store.base import Store, go_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from kubeferry.tasks.ports.store.base import Entry, Lock, Names
    from kubeferry.tasks.ports.store.signatures import SigningKey, TrustedKeys


def signed(store: Store) -> Store:
    """Return a store that signs and verifies, or the store itself where no keys are given.

    Raises:
        UsageError: a file of keys cannot be read, or holds none.
    """
    by, trusted = keys.signing(), keys.trusted()
    if not (by or trusted):
        return store
    from kubeferry.tasks.ports.store.signatures import SigningKey, TrustedKeys

    return SignedStore(store, SigningKey(by) if by else None, [TrustedKeys(path) for path in trusted])


class SignedStore(Store):
    """A store before another one."""

    def __init__(self, behind: Store, key: SigningKey | None, trusted: list[TrustedKeys]) -> None:
        """Sign with `key`, if there is one; each of `trusted` has to take what is read."""
        self._behind, self._key, self._trusted = behind, key, trusted
        self.url = behind.url

    # --- writing: the signature is stored first, so that no process that is killed leaves a file without it

    def put(self, key: str, data: bytes) -> None:
        """Sign and save `data`."""
        self._sign(key, data)
        self._behind.put(key, data)

    def put_new(self, key: str, data: bytes) -> bool:
        """Sign `data`, and save it if the key does not exist."""
        self._sign(key, data)
        return self._behind.put_new(key, data)

    def put_file(self, key: str, path: Path, check: Callable[[], None] = go_on) -> None:
        """Save a file, which is none of those that are signed."""
        self._behind.put_file(key, path, check)

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        """Sign `new`, and save it if the content is `old`."""
        self._sign(key, new)
        return self._behind.swap(key, old, new)

    def _sign(self, key: str, data: bytes) -> None:
        if where := signature_key(key, data):
            self._check_key()
            if self._key:
                self._behind.put(where, self._key.sign(data, key))

    def _check_key(self) -> None:
        """Check that what is written would be taken.

        Raises:
            UsageError: it would not: a restore could not even be rolled back, whose own journal is not taken.
        """
        if self._trusted and not self._key:
            raise UsageError("what this writes would not be taken later: with --verify-with, give --sign-with too")
        if self._key and not all(each.holds(self._key) for each in self._trusted):
            raise UsageError("the key of --sign-with is not one of those of --verify-with")

    # --- reading

    def get(self, key: str, most: int = MAX_READ) -> bytes:
        """Return the content of `key`.

        Raises:
            SignatureError: it should be signed by a trusted key and is not.
        """
        data = self._behind.get(key, most)
        where = signature_key(key, data)
        if where and self._trusted:
            self._check(key, where, data)
        return data

    def _check(self, key: str, where: str, data: bytes) -> None:
        from kubeferry.tasks.ports.store.signatures import LARGEST

        try:
            signature = self._behind.get(where, LARGEST)
            for each in self._trusted:
                each.check(signature, data, key)
        except KeyMissingError:
            raise SignatureError(f"{key} is not signed: --verify-with asks for a signature") from None
        except SignatureError as error:
            raise SignatureError(f"{key} is not to be trusted: {error}") from error

    def get_file(self, key: str, path: Path) -> None:
        """Download a file, which is none of those that are signed."""
        self._behind.get_file(key, path)

    # --- what needs no signature

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yield every file below a folder."""
        return self._behind.list(prefix)

    def folders(self, prefix: str = "") -> Names:
        """Return the names of the direct subfolders."""
        return self._behind.folders(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete files."""
        self._behind.delete(keys)

    def forget(self, keys: Iterable[str]) -> None:
        """Delete files, with their versions."""
        self._behind.forget(keys)

    @property
    def versions_stay(self) -> bool:
        """Whether deletions leave versions."""
        return self._behind.versions_stay

    @property
    def limits(self) -> tuple[str, ...]:
        """Return what the store behind it lacks."""
        return self._behind.limits

    def locking(self, until: datetime) -> SignedStore:
        """Return this store, with Object Lock, of signatures too."""
        return SignedStore(self._behind.locking(until), self._key, self._trusted)

    def lock(self, keys: Iterable[str], now: datetime) -> Lock | None:
        """Return the lock that ends last."""
        return self._behind.lock(keys, now)

    def exists(self, key: str) -> bool:
        """Return whether `key` exists."""
        return self._behind.exists(key)

    def clock(self) -> datetime | None:
        """Return the time of the store's clock."""
        return self._behind.clock()

    def check_writable(self) -> None:
        """Write, read back and delete a small probe.

        Raises:
            UsageError: (also) signatures are asked for, and there is no key to sign with.
        """
        self._check_key()
        self._behind.check_writable()
