"""The tiers: a slice of soak is a part that time makes whole, and what CI runs is what tests/README.md says."""

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.support.tiers import LONG, TESTS, TIERS, Slice, exclusive, of_this_commit, tier_of

ROOT = TESTS.parent
README = (TESTS / "README.md").read_text()
ITEMS = [SimpleNamespace(path=Path(f"{file}.py"), name=name) for file in "abc" for name in (1, 2)]


def of(slice_):
    return [(item.path.stem, item.name) for item in slice_.rotated(ITEMS)]


def test_a_slice_begins_where_it_is_asked_to_and_goes_on_to_all_the_others():
    assert of(Slice(20, 0)) == [("a", 1), ("a", 2), ("b", 1), ("b", 2), ("c", 1), ("c", 2)]
    assert of(Slice(20, 1)) == [("b", 1), ("b", 2), ("c", 1), ("c", 2), ("a", 1), ("a", 2)]
    assert of(Slice(20, 3)) == of(Slice(20, 0))
    assert Slice(20, 5).rotated([]) == []


def item(path="a.py", **marker):
    return SimpleNamespace(path=path, get_closest_marker=lambda _: SimpleNamespace(kwargs=marker))


def test_a_test_that_would_not_end_in_time_is_not_begun():
    asked = Slice(20, 0)
    asked.check(item(minutes=19.9))
    with pytest.raises(pytest.skip.Exception):
        asked.check(item(minutes=21))
    asked.began -= 19.5 * 60
    with pytest.raises(pytest.skip.Exception):
        asked.check(item())
    asked.check(item(minutes=0.4))


def test_what_a_file_makes_first_takes_its_time_once():
    asked = Slice(20, 0)
    asked.began -= 9 * 60
    with pytest.raises(pytest.skip.Exception):
        asked.check(item(setup=11, minutes=1))
    asked.check(item(setup=9, minutes=1))
    asked.began -= 9 * 60
    asked.check(item(setup=9, minutes=1))
    with pytest.raises(pytest.skip.Exception):
        asked.check(item("b.py", setup=9, minutes=1))


def test_another_commit_begins_elsewhere():
    assert of_this_commit() >= 0
    assert of_this_commit() == of_this_commit()


@pytest.mark.parametrize(
    ("fixtures", "tier"),
    [
        (["bench", "sandbox_env", "sandbox"], "cluster"),
        (["rigged", "sandbox_env"], "cluster"),  # clusters of the file's own
        (["api", "prefect_server"], "cluster"),
        (["tmp_path", "prefect_server_of_another"], "unit"),
    ],
)
def test_what_starts_real_servers_is_no_unit_test(fixtures, tier):
    path = TESTS / "faults" / "test_api_restarts.py"
    assert tier_of(SimpleNamespace(path=path, fixturenames=fixtures, get_closest_marker=lambda _: None)) == tier


def test_files_that_change_a_cluster_for_all_are_known_by_their_text():
    assert exclusive(TESTS / "faults" / "test_reading.py")
    assert not exclusive(TESTS / "cluster" / "flows" / "test_commands.py")


def test_long_files_are_there_and_could_begin_later():
    """Those that are `exclusive` begin first anyway."""
    assert [path for path in LONG if not (TESTS / path).exists() or exclusive(TESTS / path)] == []


def test_the_readme_has_a_row_for_each_tier_with_its_command():
    rows = re.findall(r"^\| `(\w+)` \| .* \| `\.venv/bin/pytest -n \d -m (\w+)` \|", README, re.MULTILINE)
    assert rows == [(tier, tier) for tier in TIERS]


def recipe(name):
    """Return what `just` would run."""
    argv = [Path(sys.executable).with_name("just"), "--dry-run", name]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stderr.strip()


def test_just_runs_each_tier_by_the_command_of_the_readme():
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \| `\.venv/bin/(pytest [^`]+)` \|", README, re.MULTILINE))
    assert {tier: recipe(tier) for tier in TIERS} == {tier: f'{rows[tier]} "$@"' for tier in TIERS}


def test_just_runs_a_slice_of_soak_and_planted_faults():
    assert recipe("slice") == 'pytest -n 2 --slice "$@"'
    assert recipe("planted") == 'python -m tests.planted "$@"'


def test_ci_runs_what_failed_once_more_in_the_tiers_in_which_it_failed():
    text = (ROOT / ".ci" / "run").read_text()
    fast, _, soak = text.partition("\nslice=(")
    assert '1) once_more "not soak" ;;' in fast
    assert "1) once_more soak ;;" in soak
    assert "--slice" in soak
