"""Judge versions: Python's, those of the packages that Kubeferry runs with, and an API server's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeferry.tasks.core.ops.health import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PYTHON = (3, 11)
KUBERNETES = (1, 27)
"""The first that offers aggregated discovery (KEP-3352)."""

SHOWN = ("prefect", "kubernetes")
"""Packages whose version is told in any case."""

REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*(==|<)\s*([0-9][0-9a-zA-Z.]*)")
"""The two forms in which pyproject.toml names what it needs."""

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
    name, relation, version = fit.groups()
    have = installed.get(name, "")
    right = have == version if relation == "==" else have and numbers(have) < numbers(version)
    return "" if right else f"{name} {have or 'missing'} instead of {relation}{version}"


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
    """Return the first three numbers of a version: those of a pre-release count as the release's."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
