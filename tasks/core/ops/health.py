"""What `kubeferry doctor` finds, check by check, and what that comes to. Looks at nothing itself.

Judge the clock of a server against this machine's, by the Date header of an answer (RFC 9110, 6.6.1).

Judge versions: Python's, those of the packages that Kubeferry runs with, and an API server's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime


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


WARN = 30
"""Seconds. A lease that says who works in a namespace is good for 60 and renewed each 15 (lease.py): machines whose
clocks differ by more than the rest would take it for expired."""

REFUSED = 900
"""Seconds. S3 refuses requests whose time differs by more than 15 minutes ("RequestTimeTooSkewed")."""

TODO = "set the clock of this machine or of that server by NTP (timedatectl status)"


def clock(date: str, before: datetime, after: datetime) -> Finding:
    """Return the verdict on an answer of `date` to a question that was sent and answered between the two times here."""
    try:
        told = parsedate_to_datetime(date)
    except ValueError:
        return Finding.skipped("it tells no time (no Date header)")
    if told.tzinfo is None:  # RFC 9110 wants GMT; `-0000` is read as no zone
        told = told.replace(tzinfo=before.tzinfo)
    # The header has whole seconds: it may be up to one behind.
    ahead, behind = (told - after).total_seconds(), (before - told).total_seconds() - 1
    off = max(ahead, behind)
    if off < WARN:
        return Finding.ok("agrees with this machine's" if off < 1 else f"{off:.0f} s off this machine's")
    found = f"{off:.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    if off < REFUSED:
        return Finding.warning(found, TODO)
    return Finding.failed(f"{found}: too far for signed requests and tokens", TODO)


PYTHON = (3, 11)
KUBERNETES = (1, 27)
"""The first that offers aggregated discovery (KEP-3352)."""

SHOWN = ("prefect", "kubernetes")
"""Packages whose version is told in any case."""

REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*([<>].*)")
BOUND = re.compile(r"(>=|<)\s*([0-9][0-9a-zA-Z.]*)")
"""The two bounds that pyproject.toml gives a range: its first version, and the one before which it ends."""

INSTALL = "pip install -c deployments/constraints.txt, into a virtual environment of its own"


def versions(python: tuple[int, ...], wanted: Iterable[str], installed: Mapping[str, str]) -> Finding:
    """Return the verdict on this installation: what its metadata wants, and what is there by name."""
    told = ".".join(map(str, python[:3]))
    found = f"Python {told}, " + ", ".join(f"{name} {installed.get(name, 'missing')}" for name in SHOWN)
    if python[:2] < PYTHON:
        return Finding.failed(found, f"Python {'.'.join(map(str, PYTHON))} or newer")
    wrong = [line for each in wanted if (line := _wrong(each, installed))]
    if wrong:
        return Finding.failed(f"{found}; tested with other versions: {', '.join(wrong)}", INSTALL)
    return Finding.ok(found)


def _wrong(requirement: str, installed: Mapping[str, str]) -> str:
    fit = REQUIREMENT.fullmatch(requirement.partition(";")[0].strip())
    if fit is None or "extra" in requirement.partition(";")[2]:
        return ""
    name, have = fit[1], installed.get(fit[1], "")
    bounds = sorted(BOUND.findall(fit[2]), reverse=True)
    if have and all((numbers(have) < numbers(version)) is (sign == "<") for sign, version in bounds):
        return ""
    return f"{name} {have or 'missing'} instead of {','.join(map(''.join, bounds))}"


def kubernetes(host: str, version: str, problems: Mapping[str, str]) -> Finding:
    """Return the verdict on an API server: its version, and the groups that its discovery could not read."""
    found = f"{host}, Kubernetes {version}"
    if numbers(version.lstrip("v"))[:2] < KUBERNETES:
        return Finding.failed(found, f"Kubernetes {'.'.join(map(str, KUBERNETES))} or newer is needed")
    if problems:
        told = "; ".join(f"{what}: {why}" for what, why in sorted(problems.items()))
        return Finding.warning(f"{found}; {told}", "repair these APIs (kubectl get apiservices): backups are Partial")
    return Finding.ok(found)


def numbers(version: str) -> tuple[int, ...]:
    """Return the first three numbers of a version, 0 for a missing one: a pre-release counts as its release."""
    return tuple(int(part) for part in [*re.findall(r"\d+", version), "0", "0", "0"][:3])
