"""Checks of a store and of this installation for `kubeferry doctor`.

The store: writes, conditional writes, reads, lists and deletes of a probe, and its clock. The installation: Python, and
the packages that Kubeferry was tested with.
"""

from __future__ import annotations

import sys
import uuid
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import StoreError
from kubeferry.tasks.core.ops import clocks, health
from kubeferry.tasks.core.ops.health import Finding
from kubeferry.tasks.ports.local import clock as local
from kubeferry.tasks.ports.store.base import PROBES, Store
from kubeferry.tasks.ports.store.open import open_store

if TYPE_CHECKING:
    from kubeferry.tasks.core.models.options_maintenance import DoctorOptions


def store(asked: DoctorOptions) -> Finding:
    """Try every operation of backups and journals, with a small file that is deleted again.

    What the store lacks has a substitute, so it is named and is no problem.

    Raises:
        StoreError: the store refuses an operation, or does not do what it answers.
    """
    found = open_store(asked.store)
    key, data = f"{PROBES}/kubeferry-probe-{uuid.uuid4().hex}", uuid.uuid4().bytes
    try:
        _try(found, key, data)
    finally:
        found.forget([key])
    if found.exists(key):
        raise StoreError(f"store {found.url}: what was deleted is still there: {key}")
    done = f"{found.url}: writes, conditional writes, reads, lists and deletes"
    return Finding.ok("; ".join([done, *found.limits]))


def _try(found: Store, key: str, data: bytes) -> None:
    if not found.put_new(key, data):
        raise StoreError(f"store {found.url}: it reports that {key} exists, which was never written")
    if found.put_new(key, b""):
        raise StoreError(f"store {found.url}: of two writers of one key both won: a journal would not be safe")
    if found.get(key) != data:
        raise StoreError(f"store {found.url}: the content read back differs from what was written")
    if key not in {entry.key for entry in found.list(PROBES)}:
        raise StoreError(f"store {found.url}: what was written is not listed")


def clock(asked: DoctorOptions) -> Finding:
    """Compare the clock of the store (of its server, or of its file system) with the local one."""
    found = open_store(asked.store)
    if not found.clock():  # opens the connection, so that this does not count
        return Finding.skipped("the store shows no clock")
    before = local.now()
    theirs = found.clock()
    after = local.now()
    verdict = health.compared(theirs, before, after)
    if theirs and abs(clocks.difference(theirs, before, after)) > clocks.LIMIT.total_seconds():
        return replace(verdict, found=f"{verdict.found}; kubeferry prune removes nothing until they agree")
    return verdict


def versions(_asked: DoctorOptions) -> Finding:
    """Compare the installed packages with the requirements in Kubeferry's metadata."""
    wanted = requires("kubeferry") or ()
    # Not of all that is installed: reading the metadata of 150 packages takes longer than all other checks.
    installed = {name: found for name in health.required(wanted) if (found := _installed(name))}
    return health.versions(tuple(sys.version_info[:3]), wanted, installed)


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
