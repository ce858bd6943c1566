"""Prove a stored backup: read every file back from the store and compare it with the manifest.

Choose the backups that are to be verified: the one that was named, or the newest of the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import BackupNotFoundError, DamagedError
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.core.models.results import Verified
from kubeferry.tasks.core.plan.order_check import order_faults
from kubeferry.tasks.plan.offline import planned
from kubeferry.tasks.ports.records.backups import Proof, backups, prove
from kubeferry.tasks.ports.store.open import open_store
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubeferry.tasks.core.models.options_maintenance import VerifyOptions


@step("verify {name}")
async def verify(store: str, name: str, *, deep: bool = False) -> Proof:
    """Read back every file of a backup; with `deep` also every object in its archive.

    Raises:
        DamagedError: a file or object is missing, is not what the manifest says, or is not in it.
    """
    return await in_thread(prove, store, name, deep=deep)


@step("verify {name}")
async def prove_backup(options: VerifyOptions, name: str) -> Verified:
    """Prove a backup and that the order of a restore of it holds; what is damaged is told in the answer."""
    return await in_thread(_proved, options, name)


def _proved(options: VerifyOptions, name: str) -> Verified:
    try:
        proof = prove(options.store, name, deep=options.deep, identities=options.identities)
        levels = None if proof.closed else order_of(options.store, name, options.identities)[0]
    except DamagedError as error:
        return Verified(name=name, error=str(error))
    return Verified(
        name=name,
        files=proof.files,
        bytes=proof.bytes,
        objects=proof.objects,
        proved=proof.proved,
        levels=levels,
    )


def order_of(store: str, name: str, identities: Sequence[str]) -> tuple[int, int]:
    """Return how many levels a restore has, and how many edges were given up, from the archive alone.

    Raises:
        DamagedError: what needs another would come before it.
    """
    with planned(RestoreOptions(backup=name, store=store, identities=list(identities))) as made:
        faults = order_faults(made.parts)
        if faults:
            more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
            raise DamagedError(f"backup {name}: the order of a restore does not hold: {faults[0]}{more}")
        return len(made.parts.order.levels), len(made.parts.order.broken)


@step("choose")
async def choose_backups(options: VerifyOptions) -> list[str]:
    """Return names of backups, the newest first.

    Raises:
        BackupNotFoundError: the store holds none.
        DamagedError: the metadata of a backup cannot be read, so nobody knows which are the newest.
    """
    return [options.backup] if options.backup else await in_thread(_newest, options)


def _newest(options: VerifyOptions) -> list[str]:
    store = open_store(options.store)
    found = []
    for each in backups(store):
        if isinstance(each, DamagedError):
            raise each
        found.append((each.started, each.name))
    if not found:
        raise BackupNotFoundError(f"there is no backup to verify in {store.url}")
    return [name for _, name in sorted(found, reverse=True)[: options.newest]]
