"""Bring a backup here and prove it against its manifest before anything else looks at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from kubeferry.tasks.core.errors import DamagedError, UsageError
from kubeferry.tasks.core.formats.journal import REVERTED
from kubeferry.tasks.core.formats.layout import RestoreKeys, alike, backup_name
from kubeferry.tasks.core.models.from_store import EACH_RUN, from_store
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.plan.state import Plan, Source
from kubeferry.tasks.plan.template import here, unpacked
from kubeferry.tasks.ports.archive.encryption import ASK, opener
from kubeferry.tasks.ports.local import clock, progress
from kubeferry.tasks.ports.records.backups import open_backup
from kubeferry.tasks.ports.records.restores import open_restore
from kubeferry.tasks.ports.store.open import open_store
from kubeferry.tasks.step import in_thread, log, step

if TYPE_CHECKING:
    from pathlib import Path

    from kubeferry.tasks.ports.records.backups import StoredBackup
    from kubeferry.tasks.ports.records.restores import StoredRestore
    from kubeferry.tasks.ports.store.base import Store

HERE = {*EACH_RUN, "context", "kubeconfig"}
"""Options that a resumed restore takes from the operator; all but those of waiting and failing from nowhere else."""

FINISHED = ("Completed",)


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What is restored, an empty plan, and what an earlier process did of the same restore."""

    source: Source
    plan: Plan
    resumed: StoredRestore | None = None


@step("download {options.backup}")
async def download(options: RestoreOptions, work: Path) -> Downloaded:
    """Return what is restored, with the archive's objects spooled; every object is what the manifest says.

    Raises:
        BackupNotFoundError: no backup of that name.
        DamagedError: a file or an object is missing, changed, or cannot be read.
        UsageError: it is encrypted, and no identity opens it.
    """
    found = await in_thread(_download, options, work)
    if found.source.backup.manifest is None:
        tool = found.source.backup.summary.tool
        log(f"backup {options.backup} was written by {tool}: it has no digests to prove it by")
    return found


def _download(options: RestoreOptions, work: Path) -> Downloaded:
    resumed = open_restore(open_store(options.store), options.resume) if options.resume else None
    if resumed:
        options = _taken_up(resumed, options)
    shared = here(options)
    backup = shared.backup if shared else _open(options)
    if backup.closed:
        raise UsageError(f"backup {options.backup} is encrypted: {ASK}")
    if resumed and backup.summary.manifest_sha256:  # before anything is brought here
        same_backup(resumed, backup.summary.manifest_sha256)
    named = resumed.header.name if resumed else _name(options, backup.store)
    source = Source(options, named, work, backup, shared.spool if shared else None)
    try:
        if shared:
            shared.lend(work)
            source.archived = shared.archived
        else:
            source.archived = unpacked(backup, work, source.archive)
            source.backup = backup.without_digests()
        if not source.proof:
            source.proof = backup.proof(shared.work if shared else work)
            if resumed:
                same_backup(resumed, source.proof)
    except BaseException:
        source.close()  # nobody else has it yet, and an open file keeps its disk full
        raise
    progress.step(f"download {options.backup}", len(source.archived), len(source.archived))
    return Downloaded(source, source.plan(), resumed)


def refuse_plain(source: Source) -> None:
    """Return unless a plain backup is in the place of an encrypted one: whoever may write there can put it there.

    Raises:
        UsageError: identities or recipients are given, and the backup is not encrypted.
    """
    options = source.options
    if (options.identities or options.encrypt_to) and not source.backup.sealed and not options.allow_plain:
        raise UsageError(
            f"backup {options.backup} is not encrypted, although keys are given (--identity, --encrypt-to, or their"
            " variables): say --allow-plain to take it all the same"
        )


def same_backup(resumed: StoredRestore, proof: str) -> None:
    """Return if the backup is the one that a restore began with.

    Raises:
        DamagedError: another one has its name now, or the restore does not say which one it was.
    """
    header = resumed.header
    if not header.manifest:
        raise DamagedError(
            f"restore {header.name}: its header does not say which backup {header.backup} it began with: undo it"
        )
    if header.manifest != proof:
        raise DamagedError(
            f"restore {header.name} began with another backup than what {header.backup} is now (SHA-256 differs)"
        )


def _open(options: RestoreOptions) -> StoredBackup:
    return open_backup(open_store(options.store), options.backup, opener(options.identities))


def _name(options: RestoreOptions, store: Store) -> str:
    """Return the name of a new restore; one that was asked for must be free, one of ours gets free by a number."""
    name = backup_name(options.name, [f"{options.backup}-restore"], clock.now())

    def taken(name: str) -> bool:
        return store.exists(RestoreKeys(name).header)

    if options.name and taken(name):
        raise UsageError(f"restore {name} exists already in {store.url}: choose another --name, or --resume it")
    return name if options.name else next(each for each in alike(name) if not taken(each))


def _taken_up(resumed: StoredRestore, asked: RestoreOptions) -> RestoreOptions:
    """Return the options of a restore that is resumed: its own, with the place as it is called here.

    Raises:
        UsageError: it ended, or was rolled back or undone.
        DamagedError: what it says it was asked for cannot have been.
    """
    name, state = resumed.header.name, resumed.state
    if state.end in REVERTED:
        raise UsageError(f"restore {name} was rolled back or undone ({state.end}): restore its backup again")
    if state.end in FINISHED:
        raise UsageError(f"restore {name} is {state.end}: nothing is missing")
    here = asked.model_dump(include=HERE, exclude_defaults=True)
    stored = from_store(resumed.header.options, f"restore {name}")
    try:
        return RestoreOptions.model_validate(stored | here | {"store": asked.store, "name": name})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise DamagedError(f"restore {name}: the options in its header are damaged: {first['msg']}") from None
