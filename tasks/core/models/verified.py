"""What a verification answers, and how it is told."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.jsondoc.printable import words


class Verified(BaseModel):
    """What was proved of one backup."""

    model_config = ConfigDict(frozen=True)

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


class VerifyResult(BaseModel):
    """One verification: Completed when all is proved, Partial when something has no digests, Failed when damaged."""

    model_config = ConfigDict(frozen=True)

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
