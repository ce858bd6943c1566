"""Ranges are in pyproject.toml, exact versions in deployments/constraints.txt, and neither contradicts the other."""

import tomllib
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kubeferry.tasks.core.ops.health import versions

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "pyproject.toml").read_text().splitlines()
DECLARED = tomllib.loads("\n".join(LINES))
PROJECT = DECLARED["project"]
EXTRAS = PROJECT["optional-dependencies"]
RANGES = [
    Requirement(each)
    for group in (DECLARED["build-system"]["requires"], PROJECT["dependencies"], *EXTRAS.values())
    for each in group
]
PINNED = [
    (canonicalize_name(name), exact)
    for line in (ROOT / "deployments" / "constraints.txt").read_text().splitlines()
    if not line.startswith("#")
    for name, _, exact in [line.partition("==")]
]
PINS = dict(PINNED)
CAPS = {"<", "<=", "!=", "~="}


def signs(requirement):
    return {each.operator for each in requirement.specifier}


def test_constraints_are_exact_versions_one_for_each_package():
    assert all(exact and not set(exact) & set("*,;<>= ") for _, exact in PINNED)
    assert [name for name, times in Counter(name for name, _ in PINNED).items() if times > 1] == []


def test_each_dependency_has_a_pin():
    assert len(RANGES) > 20
    assert [str(each) for each in RANGES if canonicalize_name(each.name) not in PINS] == []


def test_each_pin_is_within_its_range():
    pinned = [(each, PINS[canonicalize_name(each.name)]) for each in RANGES]
    assert [f"{each}: {exact}" for each, exact in pinned if not each.specifier.contains(exact)] == []


def test_nothing_is_pinned_in_pyproject_and_each_range_has_a_begin():
    assert [str(each) for each in RANGES if ">=" not in signs(each) or signs(each) & {"==", "==="}] == []


def test_each_cap_has_the_reason_above_it():
    capped = [each for each in RANGES if signs(each) & CAPS]
    assert {"prefect", "typer"} <= {each.name for each in capped}
    silent = []
    for each in capped:
        (at,) = [at for at, line in enumerate(LINES) if line.strip().startswith(f'"{each.name}>=')]
        silent += [] if LINES[at - 1].strip().startswith("# ") else [each.name]
    assert silent == []


def test_what_is_installed_here_is_what_is_pinned():
    """A package that is not installed is of an extra, or of another system."""
    other = []
    for name, exact in PINNED:
        try:
            found = version(name)
        except PackageNotFoundError:
            continue
        other += [] if found == exact else [f"{name} {found} instead of {exact}"]
    assert other == []


def test_doctor_judges_each_range_of_what_it_runs_with():
    wanted = [Requirement(each) for each in PROJECT["dependencies"]]
    found = versions((3, 11), PROJECT["dependencies"], {each.name: "0" for each in wanted}).found
    assert [each.name for each in wanted if f"{each.name} 0 instead of >=" not in found] == []
