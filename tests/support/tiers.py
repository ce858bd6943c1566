"""The tiers of the suite: which test belongs to which, in what order they run, and which slice of `soak` is run.

Every test belongs to exactly one tier. `check` and `soak` are folders; what uses the sandbox is `cluster`; the rest is
`unit`. `pytest` alone runs all but `soak`.
"""

import hashlib
import subprocess
import time
from functools import cache
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

TESTS = Path(__file__).parents[1]
FAST = "not soak"
"""What runs unless a tier or a file of `soak` is asked for."""
TIERS = ("check", "unit", "cluster", "soak")
FOLDERS = {"docs": "check", "cluster": "cluster", "ui": "cluster", "velero": "soak", "soak": "soak"}
"""Folder of tests → tier."""
FILES = ("test_checks.py", "test_readme.py")
"""More files of `check`."""
SERVERS = {"sandbox", "sandbox_env", "prefect_server"}
"""Fixtures that start real servers: the run's, or in their place servers of a file's own."""

LONG = (
    "docs/test_readme_runs.py",
    "cluster/flows/test_secrets_stay.py",
    "faults/test_writing.py",
    "cluster/delete/test_delete.py",
    "cluster/restore/test_order.py",
    "cluster/transaction/test_undo.py",
    "faults/test_api_restarts.py",
    "faults/test_kills.py",
    "faults/test_hostile_archives.py",
    "cluster/flows/test_postgres.py",
    "cluster/kubectl/test_script.py",
)
"""Files that take longest: they begin first, so that no process has one left at the end."""


def tier_of(item):
    """Return the tier of a test: its own marker, else its folder's, else `cluster` where it uses real servers."""
    for tier in TIERS:
        if item.get_closest_marker(tier):
            return tier
    path = item.path.relative_to(TESTS)
    tier = "check" if path.name in FILES else FOLDERS.get(path.parts[0], "unit")
    return "cluster" if tier in ("check", "unit") and SERVERS & set(item.fixturenames) else tier


def fast(cases, *kept):
    """Return cases for `parametrize`: those that are `kept` as they are, all others in the tier `soak`."""
    assert set(kept) <= set(cases)
    return [case if case in kept else pytest.param(*_tuple(case), marks=pytest.mark.soak) for case in cases]


def _tuple(case):
    return case if isinstance(case, tuple) else (case,)


def turn_of(item):
    """Return when a test begins: what needs a cluster of its own first, then long files, pure rules at the end."""
    path = item.path.relative_to(TESTS).as_posix()
    if exclusive(item.path):
        return -1
    if path in LONG:
        return LONG.index(path)
    return len(LONG) + (tier_of(item) == "unit")


@cache
def exclusive(path):
    """Return whether a file of tests says that it changes a cluster for all (`pytestmark = pytest.mark.exclusive`).

    The scheduler asks too; it knows tests by their paths alone, so the file itself is looked at.
    """
    return "pytestmark = pytest.mark.exclusive" in path.read_text()


class ByFile(LoadScopeScheduling):
    """Files are shared out whole, since their tests share what they made; `exclusive` ones all go to one process."""

    def _split_scope(self, nodeid):
        path = nodeid.partition("::")[0]
        return "exclusive" if exclusive(self.config.rootpath / path) else path


# --- a slice of soak


class Slice:
    """As much of `soak` as fits into some minutes; it begins elsewhere at each commit, so that in time all is run."""

    def __init__(self, minutes, start):
        self.seconds, self.start, self.began = minutes * 60, start, time.monotonic()
        self.files = set()
        """Those of which this process has begun a test."""

    def rotated(self, items):
        """Return the tests, file by file, from the file at which this slice begins."""
        files = sorted({item.path for item in items})
        begin = self.start % len(files) if files else 0
        place = {path: at for at, path in enumerate(files[begin:] + files[:begin])}
        return sorted(items, key=lambda item: place[item.path])

    def check(self, item):
        """Skip a test that may not end in time.

        `soak(minutes=…, setup=…)` says how long it takes, one minute if it does not, and what the first one of its file
        takes besides.
        """
        given = item.get_closest_marker("soak").kwargs
        minutes = given.get("minutes", 1) + (0 if item.path in self.files else given.get("setup", 0))
        if time.monotonic() - self.began + 60 * minutes > self.seconds:
            pytest.skip("not in this slice of soak")
        self.files.add(item.path)


def of_this_commit():
    """Return a number that another commit has another of; 0 outside of a checkout."""
    asked = ["git", "-C", str(TESTS), "rev-parse", "HEAD"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return int(hashlib.sha256(done.stdout.encode()).hexdigest()[:8], 16) if done.returncode == 0 else 0
