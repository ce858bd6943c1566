"""The versions of an object in a versioned bucket, and their Object Lock.

In a versioned bucket (`Client.keeps_versions`), a plain deletion only adds a delete marker, and all earlier content
stays. Only what is of use to nobody once it is gone (a reservation, a probe) is deleted with its versions by default.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import KeyMissingError, StoreError
from kubeferry.tasks.ports.store.base import Lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from kubeferry.tasks.ports.store.s3_client import Answer, Client

LOOKS = 8
"""Concurrent requests for locks."""


def expunge(bucket: Client, key: str) -> None:
    """Delete every version of `key` for good, the current one last: none of the others becomes the content meanwhile.

    Raises:
        StoreError: these credentials may not (s3:ListBucketVersions, s3:DeleteObjectVersion), or a version is locked.
    """
    for each in sorted(_versions(bucket, key), key=lambda each: bool(each.get("IsLatest"))):
        bucket.ask("delete_object", key, VersionId=each["VersionId"])


def _versions(bucket: Client, key: str) -> Iterator[Answer]:
    """Yield the versions and delete markers of `key`."""
    more: Answer = {}
    while True:
        page = bucket.ask("list_object_versions", key, Prefix=key, **more)
        found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        yield from (each for each in found if each["Key"] == key)
        following = {"KeyMarker": page.get("NextKeyMarker"), "VersionIdMarker": page.get("NextVersionIdMarker")}
        if not page.get("IsTruncated") or following["KeyMarker"] != key:  # keys that begin like it come later
            return
        if following == more:
            raise StoreError(f"store {bucket.url}: {key}: the server's listing does not come to an end")
        more = following


def lock(bucket: Client, key: str, now: datetime) -> Lock | None:
    """Return what keeps the current version of `key` from being deleted at `now`, None if nothing does.

    A version whose lock may not be read (s3:GetObjectRetention, s3:GetObjectLegalHold) seems to have none.
    """
    try:
        found = bucket.ask("head_object", key)
    except KeyMissingError:
        return None  # deleted since
    until = found.get("ObjectLockRetainUntilDate")
    held = found.get("ObjectLockLegalHoldStatus") == "ON"
    if held or (until and until > now):
        return Lock(until if until and until > now else None, str(found.get("ObjectLockMode", "")), held=held)
    return None


def longest(bucket: Client, keys: Iterable[str], now: datetime) -> Lock | None:
    """Return the lock of `keys` that ends last, None if none of them is locked."""
    if not bucket.keeps_versions():
        return None  # Object Lock needs versions
    with ThreadPoolExecutor(LOOKS, "s3-lock") as pool:
        found = [each for each in pool.map(lambda key: lock(bucket, key, now), keys) if each]
    return max(found, key=lambda each: each.rank, default=None)
