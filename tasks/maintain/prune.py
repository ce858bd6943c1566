"""Prune a store: delete backups that the retention policy does not keep, leftovers, and old restores' records.

The Backup object is deleted first, so that the rest is not taken for a backup; the reservation of its name is deleted
last, so that the next run completes the deletion of a killed one. Names that another run writes or deletes are skipped.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import ConflictError, DamagedError, KubeferryError
from kubeferry.tasks.core.formats.layout import BackupKeys, RestoreKeys
from kubeferry.tasks.core.formats.records import Phase, Problem
from kubeferry.tasks.core.models.results import Judged, PruneResult
from kubeferry.tasks.core.ops import clocks
from kubeferry.tasks.core.ops.retention import Fate, fates, last_good
from kubeferry.tasks.maintain.inventory import (
    ends,
    inventory,
    old_restores,
    opened,
    restore_files,
    stamp_of,
    under_way,
)
from kubeferry.tasks.ports.local import clock, progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.ports.records.backups import prove_stored
from kubeferry.tasks.ports.records.reservations import Deletion
from kubeferry.tasks.ports.store.open import open_store
from kubeferry.tasks.step import in_thread, step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from kubeferry.tasks.core.models.options_maintenance import PruneOptions
    from kubeferry.tasks.maintain.inventory import Files, Inventory
    from kubeferry.tasks.ports.records.backups import StoredBackup
    from kubeferry.tasks.ports.store.base import Lock, Store

THREADS = 4
LEFTOVER = "leftover of a half-deleted or unfinished backup"
BUSY = "another run is at work there"
CHANGED = "another backup has this name now"


@step("look at what goes from the store")
async def judge(options: PruneOptions) -> PruneResult:
    """Return what would be deleted, and why; change nothing.

    Raises:
        StoreError: the store cannot be read, or its clock and this machine's disagree.
    """
    return await in_thread(judged, options)


def judged(options: PruneOptions) -> PruneResult:
    """Return what would be deleted, without Prefect. Raises as `judge`."""
    now, store = clock.now(), open_store(options.store)
    _check_clock(store)
    content, restores = inventory(store, velero=options.velero), restore_files(store)
    rows = [*_backups(content, _decided(content, options, now), under_way(store, restores)), *_leftovers(content)]
    if options.restores:
        rows += _restores(store, restores, options.restores.before(now))
    rows = list(in_threads(lambda each: _unless_locked(store, each, now), rows, THREADS))
    locked = [Problem(what=f"{each.what} {each.name}", why=f"locked {each.locked}") for each in rows if each.locked]
    return PruneResult(
        store=store.url,
        started=now,
        completed=clock.now(),
        phase=Phase.PARTIAL if content.problems else Phase.COMPLETED,
        dry_run=True,
        digest=_digest(rows),
        judged=rows,
        left=[*content.busy, *locked],
        versions_stay=store.versions_stay,
        problems=content.problems,
    )


def _unless_locked(store: Store, each: Judged, now: datetime) -> Judged:
    """Return a verdict; what Object Lock keeps stays, although no rule keeps it."""
    found = None if each.keep else _lock(store, each, now)
    if found is None:
        return each
    return each.model_copy(update={"keep": True, "why": f"{each.why}; locked {found}", "locked": str(found)})


def _lock(store: Store, each: Judged, now: datetime) -> Lock | None:
    """Return the lock of its files that ends last; the reservation, which a prune writes itself, does not count."""
    folder = RestoreKeys(each.name).folder if each.what == "restore" else BackupKeys(each.name).folder
    own = BackupKeys(each.name).reservation
    return store.lock((entry.key for entry in store.list(folder) if entry.key != own), now)


def _check_clock(store: Store) -> None:
    """Refuse to judge by age with a clock that is not the store's: `clocks.check`."""
    before = clock.now()
    theirs = store.clock()
    clocks.check(store.url, theirs, before, clock.now())


def _decided(content: Inventory, options: PruneOptions, now: datetime) -> dict[str, Fate]:
    """Return the fate of each backup; what is to stay as the last good one of a series is read back before.

    One whose files are not what its manifest says is not good, so that an older one takes its place.
    """
    proved: set[str] = set()
    while True:
        candidates = [each.candidate for each in content.found.values()]
        found = fates(candidates, options.policy, now)
        open_ones = [content.found[name] for name in last_good(candidates, found) if name not in proved]
        if not open_ones:
            return found
        for each, flaw in in_threads(lambda each: (each, _flaw(each.backup)), open_ones, THREADS):
            proved.add(each.candidate.name)
            if flaw:
                damaged = replace(each, candidate=replace(each.candidate, good=False), flaw=flaw)
                content.found[each.candidate.name] = damaged
                content.problems.append(Problem(what=f"backup {each.candidate.name}", why=flaw))


def _flaw(backup: StoredBackup) -> str:
    """Read back all files of a backup; return what is wrong with one, "" if they are as its manifest says.

    Velero's have no manifest: of them, it is known that the archive is there.
    """
    try:
        if backup.manifest:
            prove_stored(backup)
    except DamagedError as error:
        return str(error).removeprefix(f"backup {backup.summary.name}: ")
    return ""


def _backups(content: Inventory, found: dict[str, Fate], needed: dict[str, str]) -> Iterator[Judged]:
    for each in sorted(content.found.values(), key=lambda each: (each.candidate.series, each.candidate.age)):
        name, summary = each.candidate.name, each.backup.summary
        fate = found[name]
        if not fate.keep and name in needed:
            fate = Fate(keep=True, why=f"{needed[name]} of it is not finished: resume or undo it")
        yield Judged(
            name=name,
            series=_shown(each.candidate.series),
            phase=summary.phase,
            tool=summary.tool,
            started=each.candidate.started,
            keep=fate.keep,
            why=f"{fate.why}; not whole: {each.flaw}" if each.flaw else fate.why,
            bytes=each.bytes,
            stamp=each.stamp,
        )


def _shown(series: tuple[str, ...]) -> str:
    cluster, namespaces, selection, deployment = series
    asked = f" ({selection})" if selection else ""
    return f"{namespaces}{asked} of {cluster[:8]}" + (f" by {deployment}" if deployment else "")


def _leftovers(content: Inventory) -> Iterator[Judged]:
    for name, size in content.leftovers.items():
        yield Judged(name=name, what="leftover", keep=False, why=LEFTOVER, bytes=size)


def _restores(store: Store, files: Files, before: datetime) -> Iterator[Judged]:
    for name in old_restores(files, before):
        keys, own = RestoreKeys(name), list(_own(RestoreKeys(name), files))
        if not own:
            continue  # only logs of Velero
        size = sum(files[name][key].size for key in own)
        found = opened(store, name)
        if keys.header in own and found is None and keys.segment(1) in own:
            continue  # it cannot be read: it may be unfinished
        if found and found.segments and not (ends(found) or found.state.end in ("Partial", "Failed")):
            why = f"not finished: kubeferry restore --resume {name}, or kubeferry undo {name}"
            yield Judged(name=name, what="restore", phase="Unfinished", keep=True, why=why, bytes=size)
            continue
        phase = found.state.end if found else ""
        yield Judged(name=name, what="restore", phase=phase, keep=False, why="ended long ago", bytes=size)


def _own(keys: RestoreKeys, files: Files) -> Iterator[str]:
    return (key for key in files[keys.name] if _is_own(keys, key))


def _digest(rows: list[Judged]) -> str:
    going = sorted(f"{each.what} {each.name} {each.stamp}" for each in rows if not each.keep)
    return hashlib.sha256("\n".join(going).encode()).hexdigest()


# --- removing


@step("remove {judged.digest}")
async def remove(options: PruneOptions, judged: PruneResult) -> PruneResult:
    """Delete what `judge` returned for deletion; return the result.

    Raises:
        ConflictError: it differs from what was confirmed; nothing is deleted.
        StoreError: the clocks disagree by now; nothing is deleted.
    """
    return await in_thread(removed, options, judged)


def removed(options: PruneOptions, judged: PruneResult) -> PruneResult:
    """Delete what `judge` returned for deletion, without Prefect. Raises as `remove`."""
    if options.expect and options.expect != judged.digest:
        raise ConflictError("what would be deleted has changed since you looked: look again with --dry-run")
    store, token, going = open_store(options.store), secrets.token_hex(4), judged.going
    _check_clock(store)
    ends: dict[tuple[str, str], Removal] = {}
    work = in_threads(lambda each: (each.what, each.name, _tried(store, each, token)), going, THREADS)
    for done, (what, name, end) in enumerate(work, start=1):
        ends[what, name] = end
        progress.step("prune", done, len(going))
    removed = {key for key, end in ends.items() if end.done}
    rows = [each.model_copy(update={"removed": (each.what, each.name) in removed}) for each in judged.judged]
    failed = [Problem(what=" ".join(key), why=str(end.error)) for key, end in ends.items() if end.error]
    others = [Problem(what=" ".join(key), why=end.left) for key, end in ends.items() if end.left]
    problems = [*judged.problems, *failed]
    return judged.model_copy(
        update={
            "completed": clock.now(),
            "phase": Phase.PARTIAL if problems else Phase.COMPLETED,
            "dry_run": False,
            "judged": rows,
            "left": [*judged.left, *others],
            "problems": problems,
        }
    )


@dataclass(frozen=True, slots=True)
class Removal:
    """The result of deleting one backup or restore; it is gone if there is neither `left` nor `error`."""

    left: str = ""
    """Why it was skipped."""
    error: KubeferryError | None = None

    @property
    def done(self) -> bool:
        """Return whether it is gone."""
        return not (self.left or self.error)


def _tried(store: Store, each: Judged, token: str) -> Removal:
    """Delete one and return the result; an error does not stop the others."""
    try:
        return _remove_restore(store, each) if each.what == "restore" else _remove_backup(store, each, token)
    except KubeferryError as error:
        return Removal(error=error)


def _remove_backup(store: Store, each: Judged, token: str) -> Removal:
    keys = BackupKeys(each.name)
    deletion = Deletion(store, keys, token)
    if not deletion.take():
        return Removal(BUSY)
    if (stamp := stamp_of(store, keys)) not in ("", each.stamp):
        deletion.let_go()
        return Removal(CHANGED)
    if found := _lock(store, each, clock.now()):
        deletion.let_go()
        return Removal(f"locked {found}")
    try:
        if stamp:
            store.delete([keys.metadata])
        rest = [entry.key for entry in store.list(keys.folder) if entry.key not in (keys.reservation, keys.metadata)]
        if not deletion.held:
            return Removal(BUSY)
        store.delete(rest)
    except KubeferryError:
        deletion.give_up()
        raise
    deletion.let_go()
    return Removal()


def _remove_restore(store: Store, each: Judged) -> Removal:
    """Delete the records of a restore, the end of the journal last, so that a later run completes the deletion."""
    keys = RestoreKeys(each.name)
    if found := _lock(store, each, clock.now()):
        return Removal(f"locked {found}")
    own = sorted(entry.key for entry in store.list(keys.folder) if _is_own(keys, entry.key))
    journal = [key for key in own if key.startswith(keys.journal)]
    store.delete([key for key in own if key != keys.header and key not in journal])
    store.delete(journal[:-1])
    store.delete([keys.header])
    store.delete(journal[-1:])
    return Removal()


def _is_own(keys: RestoreKeys, key: str) -> bool:
    return key.removeprefix(keys.folder).startswith("kubeferry-")
