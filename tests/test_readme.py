"""The README is the map: what it says is there, is there, and what is there, it says."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.docs.packages import docstring, packages
from tests.docs.readmes import ROOT, TEXTS

from kubeferry.flows.cli import main

GIT = shutil.which("git") or "git"
README = (ROOT / "README.md").read_text()
PICTURE = 200_000
"""Bytes that a picture of the README may have at most."""


def test_every_package_says_what_it_owns():
    assert [each for each in packages() if not docstring(each)] == []


def test_top_level_is_what_the_design_fixes():
    tracked = subprocess.run([GIT, "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    top = {line.partition("/")[0] for line in tracked.splitlines()}
    assert {each for each in top if not each.startswith(".")} == {
        "LICENSE",
        "README.md",
        "deployments",
        "flows",
        "pyproject.toml",
        "tasks",
        "tests",
    }


def test_pictures_are_there_and_small_and_are_made_by_a_test():
    shown = set(re.findall(r"!\[[^]]+\]\(([^)]+)\)", README))
    assert shown == {str(path.relative_to(ROOT)) for path in (ROOT / "deployments/screenshots").iterdir()}
    tests = (ROOT / "tests/ui/test_ui.py").read_text()
    assert {Path(each).stem for each in shown} == set(re.findall(r'\.keep\("([^"]+)"\)', tests))
    for each in shown:
        data = (ROOT / each).read_bytes()
        assert data.startswith(b"\x89PNG")
        assert len(data) < PICTURE, each


NAMED = sorted(set(re.findall(r"kubeferry ((?:sandbox |server )?[a-z]+)", "\n".join(TEXTS.values()))))


@pytest.mark.parametrize("command", NAMED)
def test_every_command_named_exists(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert not ended.value.code
    assert f"kubeferry {command} " in capsys.readouterr().out


def test_ci_runs_the_commands_of_the_readme():
    marked = re.search(r"^<!-- test command -->\n```sh\n(.*)\n```$", README, re.MULTILINE)
    assert marked
    assert ".venv/bin/pytest" in marked[1]
    assert "<!-- test command -->" in (ROOT / ".ci" / "run").read_text()
