"""Lock objects: how writers keep each other apart on a server that has no conditional writes.

Who wants to write a key first puts an object whose name begins with a prefix of that key and is its own, and then lists
the prefix. Who finds only the own object may write; who finds another one takes the own away and tries again a little
later, as restic does with its locks (restic, "Locks" in its design document). Of two, both cannot find themselves
alone: each has put its object before it lists, and it stays until the write is done. This needs a server whose listing
has what was written before, as Amazon's has ("Amazon S3 data consistency model"); one that does not list the own object
is refused.
"""

from __future__ import annotations

import random
import time
import uuid
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import KubeferryError, StoreError, StoreUnavailableError
from kubeferry.tasks.ports.local import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubeferry.tasks.ports.store.s3_bucket import Bucket

HELD = 30
"""Seconds from putting the lock object, after which its holder begins no write any more."""
STALE = timedelta(minutes=5)
"""Age of a lock object after which its process is dead: HELD, and a write of four attempts of 65 s (s3_client.py)."""
PATIENCE = STALE.total_seconds() + 60
"""Seconds that somebody waits for another one's lock object."""
TRIES = 3
"""Attempts to put a lock object."""
REPORTED = 5
"""Seconds of waiting after which that is reported."""


@contextmanager
def alone(bucket: Bucket, prefix: str, forget: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """Hold the lock of a key; yield what is called right before the write.

    Args:
        bucket: the bucket.
        prefix: what the names of the lock objects of one key begin with, and of no other key.
        forget: deletes a key with its versions.

    Raises:
        StoreError: the server does not list what was just written.
        StoreUnavailableError: another one holds it for too long, or this process was held up.
    """
    began, told = time.monotonic(), False
    while True:
        mine, put = f"{prefix}{uuid.uuid4().hex}", time.monotonic()
        _put(bucket, mine)
        try:
            if _only(bucket, prefix, mine, forget):
                yield partial(_in_time, bucket, put)
                return
        finally:
            _take_away(bucket, mine, forget)
        waited = time.monotonic() - began
        if waited > PATIENCE:
            raise StoreUnavailableError(
                f"store {bucket.url}: another writer holds the lock {prefix} for {waited:.0f} s"
            )
        if waited > REPORTED and not told:
            told = True
            progress.note(f"store {bucket.url}: another writer holds a lock, or died with it: waits, 5 minutes at most")
        time.sleep(random.uniform(0.05, 0.5))  # noqa: S311 - so that two do not meet again


def _put(bucket: Bucket, key: str) -> None:
    """Put a lock object. A server on a file system may fail while another one takes the last file of a folder away."""
    for left in reversed(range(TRIES)):
        try:
            bucket.send(key, b"")
        except StoreError:
            if not left:
                raise
            time.sleep(random.uniform(0.05, 0.5))  # noqa: S311 - as above
        else:
            return


def _take_away(bucket: Bucket, key: str, forget: Callable[[str], None]) -> None:
    """Take a lock object away; one that stays holds others up for as long as that of a dead process."""
    try:
        forget(key)
    except KubeferryError as error:
        progress.note(f"store {bucket.url}: the lock {key} stays for {STALE.total_seconds() / 60:.0f} minutes: {error}")


def _only(bucket: Bucket, prefix: str, mine: str, forget: Callable[[str], None]) -> bool:
    """Return whether nobody else has a lock object of the key; one of a dead process is removed."""
    found = {each["Key"]: each["LastModified"] for page in bucket.pages(prefix) for each in page.get("Contents", ())}
    if mine not in found:
        raise StoreError(
            f"store {bucket.url}: the server has no conditional writes, and does not list what was just written: it "
            "cannot keep two writers apart"
        )
    now = found.pop(mine)
    for key in [key for key, since in found.items() if now - since > STALE]:
        forget(key)
        del found[key]
    return not found


def _in_time(bucket: Bucket, put: float) -> None:
    if time.monotonic() - put > HELD:
        raise StoreUnavailableError(f"store {bucket.url}: this process was held up with a lock: nothing is written")
