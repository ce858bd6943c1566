"""What `kubeferry doctor` finds, check by check, and what that comes to. Looks at nothing itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Level(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """It works, or will, but not all of it or not for long."""
    FAILED = "failed"
    """Backups or restores cannot work so."""
    SKIPPED = "skipped"
    """It could not be looked at, because of what another check tells, or there is nothing to look at."""


EXIT_CODES = {Level.FAILED: 1, Level.WARNING: 3}
"""By the worst that was found (design.md 3); 0 without either."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    level: Level
    found: str
    todo: str = ""
    """What a person can do about it; "" where there is nothing to do."""
    check: str = ""
    """The check's name; who runs the checks writes it."""
    looked: bool = True
    """It is a verdict; else nothing could be looked at, and `found` says why."""

    @classmethod
    def ok(cls, found: str) -> Finding:
        """Return what is as it should be."""
        return cls(Level.OK, found)

    @classmethod
    def warning(cls, found: str, todo: str) -> Finding:
        """Return what should be seen to."""
        return cls(Level.WARNING, found, todo)

    @classmethod
    def failed(cls, found: str, todo: str) -> Finding:
        """Return what has to be changed first."""
        return cls(Level.FAILED, found, todo)

    @classmethod
    def skipped(cls, found: str) -> Finding:
        """Return that there was nothing to look at."""
        return cls(Level.SKIPPED, found)

    @classmethod
    def blind(cls, found: str, todo: str) -> Finding:
        """Return why a check could not look at anything."""
        return cls(Level.FAILED, found, todo, looked=False)

    def document(self) -> dict[str, str]:
        """Return it as JSON's types."""
        return {"check": self.check, "level": self.level.value, "found": self.found, "todo": self.todo}


def related(findings: Sequence[Finding], needs: Mapping[str, str]) -> list[Finding]:
    """Return the findings, with those skipped that could look at nothing because of what they need.

    `needs` maps a check to the one without which it makes no sense.
    """
    failed = {each.check for each in findings if each.level is Level.FAILED}
    return [
        replace(each, level=Level.SKIPPED, found=f"see {needs[each.check]}", todo="")
        if not each.looked and needs.get(each.check) in failed
        else each
        for each in findings
    ]


def worst(findings: Sequence[Finding]) -> Level:
    """Return what all findings come to."""
    levels = {each.level for each in findings}
    return next((level for level in (Level.FAILED, Level.WARNING) if level in levels), Level.OK)


def exit_code(findings: Sequence[Finding]) -> int:
    """Return what the command exits with."""
    return EXIT_CODES.get(worst(findings), 0)
