"""What CI installs before it runs the README's test command: Debian packages, only those that are missing.

And what GitHub runs at a push, and git at a commit.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
NAMES = [line for line in (ROOT / ".ci" / "packages").read_text().splitlines() if line and not line.startswith("#")]

QUERY = """#!/bin/bash
[[ " $INSTALLED " == *" ${!#} "* ]] && echo installed
"""
GET = """#!/bin/bash
echo "$@" >> "$CALLS"
[[ "$1" == update ]] && touch "$CALLS.updated"
[[ "$1" == update || -z "$OLD_LISTS" || -e "$CALLS.updated" ]]
"""


@pytest.fixture
def install(tmp_path):
    """Run `.ci/install` where the given packages are there; returns what apt-get was called with."""
    for name, text in (("dpkg-query", QUERY), ("apt-get", GET), ("id", "#!/bin/sh\necho 0\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    calls = tmp_path / "calls"
    calls.touch()

    def run(installed, old_lists=""):
        env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "INSTALLED": " ".join(installed)}
        env |= {"CALLS": str(calls), "OLD_LISTS": old_lists}
        subprocess.run([ROOT / ".ci" / "install"], env=env, check=True, capture_output=True, timeout=30)
        return calls.read_text().splitlines()

    return run


def test_nothing_is_asked_where_all_is_there(install):
    assert install(NAMES) == []


def test_only_what_is_missing_is_installed(install):
    assert install(NAMES[1:]) == [f"install -y --no-install-recommends {NAMES[0]}"]


def test_old_lists_are_brought_up_to_date(install):
    wanted = f"install -y --no-install-recommends {' '.join(NAMES)}"
    assert install([], old_lists="1") == [wanted, "update", wanted]


def test_ci_installs_first_and_says_that_it_is_ci():
    text = (ROOT / ".ci" / "run").read_text()
    assert 0 < text.index("\n.ci/install\n") < text.index("\nexport CI=true\n") < text.index("bash -euo pipefail -c")


# --- GitHub, and git


def test_the_workflow_runs_ci_and_names_a_version_of_each_action():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    assert steps[-1] == {"run": ".ci/run"}
    used = [step["uses"] for step in steps if "uses" in step]
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w-]+/[\w-]+@v\d+(\.\d+)*", each)] == []


def test_at_a_commit_git_runs_programs_of_the_environment():
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [each["repo"] for each in repositories] == ["local"]
    programs = [each["entry"].split()[0] for each in repositories[0]["hooks"]]
    assert programs == [".venv/bin/ruff", ".venv/bin/ruff", ".venv/bin/lint-imports"]
    valid = [Path(sys.executable).with_name("pre-commit"), "validate-config"]
    subprocess.run(valid, cwd=ROOT, check=True, capture_output=True, timeout=60)
