"""The findings of `kubeferry doctor` and their overall result, and the checks of clocks and versions.

A server's clock is compared with this machine's by the Date header of a response (RFC 9110, 6.6.1); versions are those
of Python, of the packages that Kubeferry needs, and of an API server. No check here reads anything itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from kubeferry.tasks.core.ops import clocks
from kubeferry.tasks.core.plan.quota import quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime


class Level(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """It works, but not completely or not for long."""
    FAILED = "failed"
    """Backups or restores cannot work."""
    SKIPPED = "skipped"
    """It could not be checked because of another check's result, or there is nothing to check."""


EXIT_CODES = {Level.FAILED: 1, Level.WARNING: 3}
"""Exit code by the worst level; 0 for any other."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    level: Level
    found: str
    todo: str = ""
    """What to do about it; "" if nothing is to be done."""
    check: str = ""
    """The check's name, set by the code that runs the checks."""
    looked: bool = True
    """It is a verdict; otherwise nothing could be checked, and `found` says why."""

    @classmethod
    def ok(cls, found: str) -> Finding:
        """Return a finding that all is well."""
        return cls(Level.OK, found)

    @classmethod
    def warning(cls, found: str, todo: str) -> Finding:
        """Return a finding that needs attention."""
        return cls(Level.WARNING, found, todo)

    @classmethod
    def failed(cls, found: str, todo: str) -> Finding:
        """Return a finding that must be fixed first."""
        return cls(Level.FAILED, found, todo)

    @classmethod
    def skipped(cls, found: str) -> Finding:
        """Return that there was nothing to check."""
        return cls(Level.SKIPPED, found)

    @classmethod
    def blind(cls, found: str, todo: str) -> Finding:
        """Return why nothing could be checked."""
        return cls(Level.FAILED, found, todo, looked=False)

    def document(self) -> dict[str, str]:
        """Return it as JSON types."""
        return {"check": self.check, "level": self.level.value, "found": self.found, "todo": self.todo}


def related(findings: Sequence[Finding], needs: Mapping[str, str]) -> list[Finding]:
    """Return the findings, with those skipped that could check nothing because of another check.

    `needs` maps a check to the one that it depends on.
    """
    failed = {each.check for each in findings if each.level is Level.FAILED}
    return [
        replace(each, level=Level.SKIPPED, found=f"see {needs[each.check]}", todo="")
        if not each.looked and needs.get(each.check) in failed
        else each
        for each in findings
    ]


def worst(findings: Sequence[Finding]) -> Level:
    """Return the worst level of all findings."""
    levels = {each.level for each in findings}
    return next((level for level in (Level.FAILED, Level.WARNING) if level in levels), Level.OK)


def exit_code(findings: Sequence[Finding]) -> int:
    """Return the exit code of the command."""
    return EXIT_CODES.get(worst(findings), 0)


WARN = 30
"""Seconds. A namespace's lease is valid for 60 and renewed every 15 (formats/target/lease.py): machines whose clocks
differ by more than the rest would treat it as expired."""

REFUSED = 900
"""Seconds. S3 refuses requests whose time differs by more than 15 minutes ("RequestTimeTooSkewed")."""

TODO = "set the clock of this machine or of that server by NTP (timedatectl status)"


def clock(date: str, before: datetime, after: datetime) -> Finding:
    """Return the verdict on a response with `date` to a request between the two local times."""
    return compared(clocks.parsed(date), before, after)


def compared(theirs: datetime | None, before: datetime, after: datetime) -> Finding:
    """Return the same verdict on a time that is known, None if it is not."""
    if theirs is None:
        return Finding.skipped("its responses have no Date header")
    ahead = clocks.difference(theirs, before, after)
    off = abs(ahead)
    if off < WARN:
        return Finding.ok("agrees with this machine's" if off < 1 else f"differs by {off:.0f} s from this machine's")
    found = f"{off:.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    if off < REFUSED:
        return Finding.warning(found, TODO)
    return Finding.failed(f"{found}: too far for signed requests and tokens", TODO)


PYTHON = (3, 11)
KUBERNETES = (1, 27)
"""The first version with aggregated discovery (KEP-3352)."""

SHOWN = ("prefect", "kubernetes")
"""Packages whose version is always shown."""

REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*([<>].*)")
BOUND = re.compile(r"(>=|<)\s*([0-9][0-9a-zA-Z.]*)")
"""The two bounds of a range in pyproject.toml: the first version, and the first one after it."""

INSTALL = "pip install -c deployments/constraints.txt, in a separate virtual environment"


def versions(python: tuple[int, ...], wanted: Iterable[str], installed: Mapping[str, str]) -> Finding:
    """Return the verdict on this installation: what its metadata requires, and the installed versions by name."""
    running = ".".join(map(str, python[:3]))
    found = f"Python {running}, " + ", ".join(f"{name} {installed.get(name, 'missing')}" for name in SHOWN)
    if python[:2] < PYTHON:
        return Finding.failed(found, f"Python {'.'.join(map(str, PYTHON))} or newer")
    wrong = [line for each in wanted if (line := _wrong(each, installed))]
    if wrong:
        return Finding.failed(f"{found}; tested with other versions: {', '.join(wrong)}", INSTALL)
    return Finding.ok(found)


def required(wanted: Iterable[str]) -> set[str]:
    """Return the names of the packages that `versions` looks up."""
    fits = (REQUIREMENT.match(each) for each in wanted)
    return {*SHOWN, *(fit[1] for fit in fits if fit)}


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
    """Return the verdict on an API server: its version, and the groups whose discovery failed."""
    found = f"{host}, Kubernetes {version}"
    if numbers(version.lstrip("v"))[:2] < KUBERNETES:
        return Finding.failed(found, f"Kubernetes {'.'.join(map(str, KUBERNETES))} or newer is needed")
    if problems:
        unreadable = "; ".join(f"{what}: {why}" for what, why in sorted(problems.items()))
        return Finding.warning(
            f"{found}; {unreadable}", "repair these APIs (kubectl get apiservices): backups are Partial"
        )
    return Finding.ok(found)


def contents(sizes: Sequence[str]) -> Finding:
    """Return that contents of volumes are not saved, with the number and the size of the claims that have some.

    `sizes` are those of all bound claims as Kubernetes writes them: `8Gi`.
    """
    if not sizes:
        return Finding.ok("no claim has a volume, so there are no contents to save elsewhere")
    total = sum((quantity(each) for each in sizes), Decimal())
    many = f"{len(sizes)} bound claims" if len(sizes) > 1 else "1 bound claim"
    return Finding.ok(f"contents of volumes are not saved: {many}, {_size(total)}; save them by other means")


def _size(total: Decimal) -> str:
    unit, factor = next(((unit, factor) for unit, factor in _UNITS if total >= factor), _UNITS[-1])
    return f"{float(total / factor):.4g}{unit}"


_UNITS = (("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10))


def numbers(version: str) -> tuple[int, ...]:
    """Return the first three numbers of a version, 0 for a missing one: a pre-release counts as its release."""
    return tuple(int(part) for part in [*re.findall(r"\d+", version), "0", "0", "0"][:3])
