"""The results of flows: printed by the command line, shown in artifacts, and printed as JSON by `-o json`.

Backup, restore, undo, delete and migrate share `Result`; prune, populate and verify have their own models. Field names
are part of the JSON format.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from kubeferry.tasks.core.formats.losses import Loss
from kubeferry.tasks.core.formats.migration import SHARED, End
from kubeferry.tasks.core.formats.records import ActionTaken, LeftOut, Phase, Problem, PulledIn, ResultModel, Rewrite
from kubeferry.tasks.core.jsondoc.printable import words

EXIT_CODES = {Phase.COMPLETED: 0, Phase.FAILED: 1, Phase.PARTIAL: 3}
"""The exit codes of the command line."""


class Result(ResultModel):
    """The fields that results share. `name` is the argument of show, verify, restore and --resume."""

    name: str
    phase: Phase
    store: str
    started: datetime
    completed: datetime
    counts: dict[str, int]
    """Number of objects by type, for example `Deployment.apps`."""
    left_out: list[LeftOut] = []
    problems: list[Problem] = []
    warnings: list[Problem] = []
    """Open ends of a selection: needed but excluded objects, and terms that match nothing."""
    losses: list[Loss] = []
    """What is not in a backup, or not restored, as it was."""

    @property
    def seconds(self) -> float:
        """Return the duration."""
        return (self.completed - self.started).total_seconds()

    @property
    def objects(self) -> int:
        """Return the number of objects that were backed up or restored."""
        return sum(self.counts.values())


class BackupResult(Result):
    """One backup: its content, the revision and the cluster, and its size in bytes."""

    cluster: str
    namespaces: list[str]
    revision: str
    not_at_revision: dict[str, str] = {}
    selection: str = ""
    """The selection of objects, in one line; empty: everything."""
    pulled_in: list[PulledIn] = []
    """Objects that were not selected and are included as dependencies."""
    bindings: dict[str, int] = {}
    """Uses of addresses and uids of the cluster, by class: a restore replaces them."""
    bytes: int
    encrypted_to: list[str] = []
    """Public keys of the recipients; empty: not encrypted."""


class RollbackResult(ResultModel):
    """The rollback of a restore that failed or was undone."""

    deleted: int = 0
    restored: int = 0
    """Number of objects with their previous content again."""
    left: list[Problem] = []
    """What could not be rolled back, and why."""
    notes: list[Problem] = []
    """What was rolled back but is not exactly as before."""


class UndoResult(Result):
    """The undo of a restore; `counts` are the objects deleted or restored, by type."""

    backup: str
    cluster: str
    taken_back: RollbackResult
    dry_run: bool = False
    digest: str = ""
    """Of what a dry run shows: with it as `expect`, another run reverts exactly this or nothing."""
    to_delete: list[str] = []
    to_restore: list[str] = []
    """What a dry run would delete, and give its previous content; `taken_back.left` is what it would leave."""


class ObjectToDelete(ResultModel):
    """One object of a deletion."""

    level: int
    """The highest level is deleted first."""
    object: str
    uid: str
    follows: bool = False
    """The garbage collector deletes it with its owner."""
    finalizers: list[str] = []
    """Finalizers that delay its deletion."""


class Needed(ResultModel):
    """An object of a deletion that an object outside refers to."""

    object: str
    by: str
    why: str


class DeleteResult(Result):
    """One deletion, or its dry run: `counts` are the deleted objects by type, without those that remain."""

    store: str = ""
    cluster: str
    namespaces: list[str]
    bundle: str = ""
    selector: str = ""
    dry_run: bool = False
    digest: str
    """Of the objects: with it as `expect`, another run deletes exactly these or none."""
    levels: int
    members: list[ObjectToDelete] = []
    needed: list[Needed] = []
    """Objects that others still need."""
    left: list[Problem] = []
    """What still exists, and why."""
    refused: list[Problem] = []
    """What the bundle lists without authority, and why; it is not changed."""
    forced: list[Problem] = []
    """Objects whose finalizers were removed, and which."""
    untied: list[Problem] = []
    """Older objects with an owner reference to a deleted object: the reference is removed."""


class RestoreResult(Result):
    """One restore: source and target, and the action for each object (`counts` are those that exist now)."""

    backup: str
    cluster: str
    namespaces: dict[str, str]
    """Old to new name."""
    actions: dict[str, int]
    """Number of objects by action: created, unchanged, updated and so on."""
    notable: list[ActionTaken] = []
    """Objects with another action than `created`."""
    rewrites: list[Rewrite] = []
    levels: int = 0
    not_ready: list[Problem] = []
    error: str = ""
    """Why it failed."""
    taken_back: RollbackResult | None = None
    """The rollback after a failure."""


class ExportedSecret(ResultModel):
    """What became of one Secret in an export."""

    object: str
    type: str
    data_keys: list[str]
    """The keys that whoever creates it has to fill."""
    how: Literal["omitted", "included", "external", "encrypted"]


class DynamicValue(ResultModel):
    """A value in an exported object that the source cluster assigned: another cluster has another one."""

    object: str
    path: str
    old: str
    """The value; one in a Secret is not shown."""
    chain: str
    """How a restore would find the new one."""
    kind: str
    how: str
    """What was done about it."""


class ExportResult(Result):
    """One export: `name` is that of the backup; `store` is empty for a namespace of a cluster."""

    format: str
    out: str
    namespaces: dict[str, str]
    """Old to new name."""
    files: int
    bytes: int
    secrets: list[ExportedSecret] = []
    dynamic: list[DynamicValue] = []
    unowned: list[Problem] = []
    """Objects that lose their owner, whose uid is of one cluster."""


class MigrateResult(Result):
    """One migration, with the result of each namespace. `name` is the argument of --resume; `counts` are the totals."""

    backup: str
    from_cluster: str
    to_cluster: str
    namespaces: list[End]

    @property
    def phases(self) -> dict[str, int]:
        """Return the number of namespaces by phase, without the cluster-scoped part."""
        ended = [each.phase.value for each in self.namespaces if each.namespace != SHARED]
        return {phase: ended.count(phase) for phase in ("Completed", "Partial", "Failed") if phase in ended}


class Judged(ResultModel):
    """One backup of the store, or the records of one restore, and whether it stays."""

    name: str
    what: str = "backup"
    """`backup`, `leftover` (of a partly deleted or unfinished backup) or `restore`."""
    series: str = ""
    """What was asked for: the namespaces, the selection, the cluster, and the deployment."""
    phase: str = ""
    tool: str = ""
    started: datetime | None = None
    keep: bool
    why: str
    bytes: int = 0
    removed: bool = False
    """It was removed; never true in a dry run."""
    stamp: str = ""
    """Identifies this version: another one with the same name is not removed."""
    locked: str = ""
    """No rule keeps it, but Object Lock does: until when, and its mode."""


class PruneResult(ResultModel):
    """What stays in a store and what was removed, or would be in a dry run."""

    store: str
    started: datetime
    completed: datetime
    phase: Phase
    dry_run: bool
    digest: str
    """Of what is removed: with it as `expect`, another run removes exactly that or nothing."""
    judged: list[Judged] = []
    left: list[Problem] = []
    """What was not removed because another run is working on it, or because it is locked: not an error."""
    versions_stay: bool = False
    """The bucket keeps earlier versions: what is removed is not listed any more, and frees no bytes."""
    problems: list[Problem] = []
    """What could not be read or removed, and backups whose files are not what their manifest says."""

    @property
    def going(self) -> list[Judged]:
        """Return what is to be removed."""
        return [each for each in self.judged if not each.keep]

    @property
    def freed(self) -> int:
        """Return the bytes that are free now, or would be after a dry run."""
        gone = self.going if self.dry_run else self.removed
        return 0 if self.versions_stay else sum(each.bytes for each in gone)

    @property
    def removed(self) -> list[Judged]:
        """Return what was removed."""
        return [each for each in self.judged if each.removed]

    @property
    def seconds(self) -> float:
        """Return the duration."""
        return (self.completed - self.started).total_seconds()


class PopulateResult(Result):
    """One run, with the result of each namespace. The same command again does what is missing."""

    backup: str
    template: str
    cluster: str
    namespaces: list[End]
    earlier: list[str] = Field([])
    """Namespaces that an earlier run of the same name had created: this run did not change them."""

    @property
    def phases(self) -> dict[str, int]:
        """Return the number of namespaces by phase."""
        ended = [each.phase.value for each in self.namespaces]
        return {phase: ended.count(phase) for phase in ("Completed", "Partial", "Failed") if phase in ended}


class Verified(ResultModel):
    """The verification of one backup."""

    name: str
    files: int = 0
    bytes: int = 0
    objects: int = 0
    """Number of objects that were checked one by one."""
    proved: bool = False
    """False for a damaged archive, and for one without digests, which can be read but not verified."""
    levels: int | None = None
    """Levels of a restore, whose order is valid; None for an encrypted backup without a key."""
    error: str = ""
    """What is wrong with it."""


class VerifyResult(ResultModel):
    """One verification: Completed if all is verified, Partial if something has no digests, Failed if damaged."""

    phase: Phase
    store: str
    started: datetime
    completed: datetime
    backups: list[Verified]

    @property
    def damaged(self) -> list[Verified]:
        """Return the damaged backups."""
        return [each for each in self.backups if each.error]


def phase_of(backups: list[Verified]) -> Phase:
    """Return the phase of all backups together."""
    if any(each.error for each in backups):
        return Phase.FAILED
    return Phase.COMPLETED if all(each.proved for each in backups) else Phase.PARTIAL


def page(result: VerifyResult) -> str:
    """Return a page of Markdown."""
    lines = [f"# Verification: {result.phase.value}", "", f"- store: {words(result.store)}", ""]
    return "\n".join([*lines, *(f"- **{words(each.name)}**: {words(verdict(each))}" for each in result.backups), ""])


def verdict(found: Verified) -> str:
    """Return one line about a backup."""
    if found.error:
        return found.error
    objects = f", {found.objects} objects one by one" if found.objects else ""
    digests = "as the manifest says" if found.proved else "readable, without digests"
    order = f"; the order of a restore holds, {found.levels} levels" if found.levels is not None else ""
    return f"{found.files} files, {found.bytes} bytes{objects}: {digests}{order}"
