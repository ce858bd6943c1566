"""Verify stored backups, the named one or the newest: files against the manifest, and the order of a restore.

Every file is read back from the store; the plan of a restore is made from the archive alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import BackupNotFoundError, DamagedError
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.core.models.results import Verified
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
        DamagedError: a file or object is missing, does not match the manifest, or is not in it.
    """
    return await in_thread(prove, store, name, deep=deep)


@step("verify {name}")
async def prove_backup(options: VerifyOptions, name: str) -> Verified:
    """Verify a backup and the order of its restore; damage is reported in the result."""
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
    """Return the number of levels of a restore and of removed edges of cycles, from the archive alone.

    Raises:
        DamagedError: an object would be created before one that it needs.
    """
    # A backup proves its files, too, and makes no plan.
    from kubeferry.tasks.core.plan.order_check import order_faults
    from kubeferry.tasks.plan.offline import planned

    # Whether it is encrypted is shown; a verification believes nothing.
    asked = RestoreOptions(backup=name, store=store, identities=list(identities), allow_plain=True)
    with planned(asked) as made:
        faults = order_faults(made.parts)
        if faults:
            more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
            raise DamagedError(f"backup {name}: the order of a restore does not hold: {faults[0]}{more}")
        return len(made.parts.order.levels), len(made.parts.order.broken)


@step("choose")
async def choose_backups(options: VerifyOptions) -> list[str]:
    """Return the names of the backups to verify, the newest first.

    Raises:
        BackupNotFoundError: the store has no backup.
        DamagedError: the Backup object of a backup cannot be read, so the newest ones are unknown.
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
