"""Plant a fault in a copy of the tree, and run tests on it."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.planted.faults import ROOT

SOUND = 3600
"""Seconds for tests without a fault: some bring up servers of their own."""
HANGS = 300, 5
"""Seconds after which tests hang that have a fault, at least, and as a factor of what they take without it."""


class Copy:
    """A copy of all that git tracks, or would track; it is gone at the end of the `with` block."""

    def __enter__(self):
        self.root, self.sound = Path(tempfile.mkdtemp(prefix="kf-planted-")), {}
        git = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.run(git, capture_output=True, text=True, check=True).stdout.splitlines():
            if (ROOT / name).exists():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.root / name, follow_symlinks=False)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root)

    def catches(self, fault, tests):
        """Return the first of `tests` that fails with the fault planted, or that they hang, "" if none does.

        Raises RuntimeError when the tests cannot be run, or fail without the fault: then nothing is known of it.
        """
        usual = self._sound(fault.name, tests)
        path = self.root / fault.file
        sound = path.read_text()
        path.write_text(fault.planted(sound))
        try:
            least, times = HANGS
            done = self._run(tests, max(least, times * usual))
        except subprocess.TimeoutExpired as expired:
            return f"tests that did not end within {expired.timeout:.0f} s, where they take {usual:.0f} s without it"
        finally:
            path.write_text(sound)
        if done.returncode == 0:
            return ""
        failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
        if done.returncode != 1 or not failed:
            raise RuntimeError(f"{fault.name}: the tests did not run\n{done.stdout[-3000:]}\n{done.stderr[-1000:]}")
        return failed[1]

    def _sound(self, name, tests):
        """Return how many seconds the tests take; prove that they pass as long as nothing is planted."""
        if tuple(tests) not in self.sound:
            began = time.monotonic()
            done = self._run(tests, SOUND)
            if done.returncode != 0:
                raise RuntimeError(f"{name}: its tests do not pass without it\n{done.stdout[-3000:]}")
            self.sound[tuple(tests)] = time.monotonic() - began
        return self.sound[tuple(tests)]

    def _run(self, tests, seconds):
        argv = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", "-m", "", *tests]
        # Commands that tests start take the code of the copy, too.
        paths = os.pathsep.join([str(self.root / ".src"), str(self.root)])
        env = os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
        for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_TESTRUNUID", "PYTEST_CURRENT_TEST"):
            env.pop(name, None)
        return subprocess.run(
            argv, cwd=self.root, env=env, capture_output=True, text=True, check=False, timeout=seconds
        )


def covering(data_file, fault):
    """Return the ids of the tests that ran a line which the fault changes, by a file of coverage with contexts."""
    from coverage import CoverageData

    data = CoverageData(basename=str(data_file))
    data.read()
    path = str(ROOT / fault.file)
    by_line = data.contexts_by_lineno(path)
    contexts = {context for line in fault.lines(Path(path).read_text()) for context in by_line.get(line, ())}
    return sorted({context.partition("|")[0] for context in contexts if "::" in context})
