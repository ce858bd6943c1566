"""What a flow answers: the same value is printed by the command line, shown in artifacts and told by `-o json`.

What the flow `prune` answers.

What the flow `populate` answers.

What a verification answers, and how it is told.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from kubeferry.tasks.core.formats.migration import SHARED, End
from kubeferry.tasks.core.formats.records import ActionTaken, LeftOut, Phase, Problem, PulledIn, ResultModel, Rewrite
from kubeferry.tasks.core.jsondoc.printable import words

EXIT_CODES = {Phase.COMPLETED: 0, Phase.FAILED: 1, Phase.PARTIAL: 3}
"""What the command line exits with (design.md 3)."""


class Result(ResultModel):
    """What backup and restore have in common. `name` is what show, verify, restore and --resume take."""

    name: str
    phase: Phase
    store: str
    started: datetime
    completed: datetime
    counts: dict[str, int]
    """Objects by type, as `Deployment.apps`."""
    left_out: list[LeftOut] = []
    problems: list[Problem] = []
    warnings: list[Problem] = []
    """What a selection leaves open: what is needed and was not to be in, what was asked for and matches nothing."""

    @property
    def seconds(self) -> float:
        """Return how long it took."""
        return (self.completed - self.started).total_seconds()

    @property
    def objects(self) -> int:
        """Return how many objects were saved or restored."""
        return sum(self.counts.values())


class BackupResult(Result):
    """One backup: what is in it, at which revision of which cluster, and its size in bytes."""

    cluster: str
    namespaces: list[str]
    revision: str
    not_at_revision: dict[str, str] = {}
    selection: str = ""
    """What was asked for of the namespaces, in one line; empty: everything."""
    pulled_in: list[PulledIn] = []
    """What was not asked for and is in since something needs it."""
    bindings: dict[str, int] = {}
    """Uses of addresses and uids of the cluster, by class: a restore writes the new values."""
    bytes: int
    encrypted_to: list[str] = []
    """Public keys of those who can read it; empty: it is not encrypted."""


class TakenBack(ResultModel):
    """What became of what a restore did, when it failed or was undone."""

    deleted: int = 0
    restored: int = 0
    """Objects that have their former content again."""
    left: list[Problem] = []
    """What could not be taken back, and why."""
    notes: list[Problem] = []
    """What was taken back and is not exactly what it was."""


class UndoResult(Result):
    """The end of a restore that was taken back; `counts` are the objects deleted or restored, by type."""

    backup: str
    cluster: str
    taken_back: TakenBack


class Doomed(ResultModel):
    """One object of a group that is deleted."""

    level: int
    """The highest goes first."""
    object: str
    uid: str
    follows: bool = False
    """It goes with its owner, by the garbage collector."""
    finalizers: list[str] = []
    """What has to be done before it is gone."""


class Needed(ResultModel):
    """An object of a group that one outside of it names."""

    object: str
    by: str
    why: str


class DeleteResult(Result):
    """One group that was deleted, or would be: `counts` are its objects by type, without those that are left."""

    store: str = ""
    cluster: str
    namespaces: list[str]
    bundle: str = ""
    selector: str = ""
    dry_run: bool = False
    digest: str
    """Of the group: `expect` of another run takes this very group or none."""
    levels: int
    members: list[Doomed] = []
    needed: list[Needed] = []
    """What others still need: they are left without."""
    left: list[Problem] = []
    """What is still there, and why."""
    refused: list[Problem] = []
    """What the bundle lists and cannot claim, and why; it is not touched."""
    forced: list[Problem] = []
    """What lost its finalizers, and which."""
    untied: list[Problem] = []
    """What was there before and was linked to what goes: the link is taken off."""


class RestoreResult(Result):
    """One restore: where from and to, what was done with each object (`counts` are the ones now there)."""

    backup: str
    cluster: str
    namespaces: dict[str, str]
    """Old name to new name."""
    actions: dict[str, int]
    """How many objects were created, unchanged, updated and so on."""
    notable: list[ActionTaken] = []
    """Objects with which something else than `created` was done."""
    rewrites: list[Rewrite] = []
    levels: int = 0
    not_ready: list[Problem] = []
    error: str = ""
    """Why it failed."""
    taken_back: TakenBack | None = None
    """What became of what it had done, when it failed."""


class MigrateResult(Result):
    """One migration: how it went with each namespace. `name` is what --resume takes; `counts` are those of all."""

    backup: str
    from_cluster: str
    to_cluster: str
    namespaces: list[End]

    @property
    def phases(self) -> dict[str, int]:
        """Return how many namespaces ended how; what is cluster-wide is none."""
        ended = [each.phase.value for each in self.namespaces if each.namespace != SHARED]
        return {phase: ended.count(phase) for phase in ("Completed", "Partial", "Failed") if phase in ended}


class Judged(ResultModel):
    """One backup of the store, or what is kept of one restore, and what becomes of it."""

    name: str
    what: str = "backup"
    """`backup`, `leftover` (of a backup that was half deleted or never finished) or `restore`."""
    series: str = ""
    """The namespaces, and what tells this series from others of them."""
    phase: str = ""
    tool: str = ""
    started: datetime | None = None
    keep: bool
    why: str
    bytes: int = 0
    removed: bool = False
    """It is gone; never in a dry run."""
    stamp: str = ""
    """By which it is known again: another one under its name is not touched."""


class PruneResult(ResultModel):
    """What of a store stays and what went, or would go in a dry run."""

    store: str
    started: datetime
    completed: datetime
    phase: Phase
    dry_run: bool
    digest: str
    """Of what goes: `expect` of another run removes exactly that or nothing."""
    judged: list[Judged] = []
    left: list[Problem] = []
    """What was to go and did not, since somebody else is at work there: not this run's business."""
    problems: list[Problem] = []
    """What could not be read or removed."""

    @property
    def going(self) -> list[Judged]:
        """Return what goes."""
        return [each for each in self.judged if not each.keep]

    @property
    def removed(self) -> list[Judged]:
        """Return what went."""
        return [each for each in self.judged if each.removed]

    @property
    def seconds(self) -> float:
        """Return how long it took."""
        return (self.completed - self.started).total_seconds()


class PopulateResult(Result):
    """One run: how it went with each namespace. The same command again does what is missing."""

    backup: str
    template: str
    cluster: str
    namespaces: list[End]
    earlier: list[str] = Field([])
    """Namespaces that an earlier run of the same name had made: nothing was done with them now."""

    @property
    def phases(self) -> dict[str, int]:
        """Return how many namespaces ended how."""
        ended = [each.phase.value for each in self.namespaces]
        return {phase: ended.count(phase) for phase in ("Completed", "Partial", "Failed") if phase in ended}


class Verified(ResultModel):
    """What was proved of one backup."""

    name: str
    files: int = 0
    bytes: int = 0
    objects: int = 0
    """Objects that were looked at one by one."""
    proved: bool = False
    """False for an archive without digests, which can be read but not proved, and for a damaged one."""
    levels: int | None = None
    """Of a restore, whose order holds; None for an encrypted backup without a key."""
    error: str = ""
    """What is wrong with it."""


class VerifyResult(ResultModel):
    """One verification: Completed when all is proved, Partial when something has no digests, Failed when damaged."""

    phase: Phase
    store: str
    started: datetime
    completed: datetime
    backups: list[Verified]

    @property
    def damaged(self) -> list[Verified]:
        """Return the backups that are not as they were written."""
        return [each for each in self.backups if each.error]


def phase_of(backups: list[Verified]) -> Phase:
    """Return what all come to."""
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
    as_told = "as the manifest says" if found.proved else "readable, without digests"
    order = f"; the order of a restore holds, {found.levels} levels" if found.levels is not None else ""
    return f"{found.files} files, {found.bytes} bytes{objects}: {as_told}{order}"
