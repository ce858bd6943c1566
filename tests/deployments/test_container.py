"""The Dockerfile, without an engine: what it copies is there, what it runs is what is there, and not as root."""

import re
import shlex
from pathlib import Path

import pytest

from kubeferry.deployments.entrypoint import command

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "deployments" / "Dockerfile").read_text()
STEPS = [
    (word, rest)
    for line in re.sub(r"\\\n", " ", TEXT).splitlines()
    if line and not line.startswith("#")
    for word, _, rest in [line.partition(" ")]
]


def of(word):
    return [rest for each, rest in STEPS if each == word]


def test_only_known_instructions_and_two_stages():
    assert {word for word, _ in STEPS} <= {"ARG", "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "ENTRYPOINT", "CMD"}
    assert len(of("FROM")) == 2
    assert not any("latest" in each for each in of("FROM") + of("ARG"))


def test_what_is_copied_from_here_is_here_and_is_enough():
    copied = [word for each in of("COPY") if not each.startswith("--from") for word in shlex.split(each)[:-1]]
    assert [each for each in copied if not (ROOT / each).exists()] == []
    assert {".src", "flows", "tasks", "deployments", "pyproject.toml", "README.md", "LICENSE"} == set(copied)


def test_it_installs_with_the_constraints():
    (install,) = [each for each in of("RUN") if "pip install" in each]
    assert "--constraint deployments/constraints.txt '.[kubernetes]'" in install


def test_it_does_not_run_as_root():
    """USER comes after the last RUN of its stage, and is a number, as runAsNonRoot of a pod wants it."""
    last = [word for word, _ in STEPS[[word for word, _ in STEPS].index("FROM", 2) :]]
    assert of("USER") == ["10001:10001"]
    assert last.index("USER") > max(at for at, word in enumerate(last) if word == "RUN")


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        (["worker", "--pool", "x"], ["kubeferry", "worker", "--pool", "x"]),
        (["prefect", "flow-run", "execute"], ["prefect", "flow-run", "execute"]),
        ([], ["kubeferry"]),
    ],
)
def test_the_entrypoint_takes_commands_of_kubeferry_and_of_prefects_jobs(given, becomes):
    assert command(given) == becomes
