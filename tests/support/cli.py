"""The command line, run in this very process: without the two seconds that each new process imports Prefect for.

Where the process is what is tested (signals, exit codes as a shell sees them, start-up), tests start COMMAND.
"""

import gc
import io
import os
import re
import subprocess
import sys
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import pytest
from tests.support.limits import LIMIT

from kubeferry.flows.cli import main
from kubeferry.tasks.ports.prefect import events

COMMAND = Path(sys.executable).with_name("kubeferry")


@contextmanager
def one_leak_allowed(port):
    """Prefect 3.8.8 leaves a connection to its own server open after each flow: only that is excused."""
    leak = re.escape("unclosed <socket") + rf".*raddr=\('127\.0\.0\.1', {port}\)"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", leak, ResourceWarning)
        try:
            yield
        finally:
            gc.collect()


def in_process(port):
    """Return a function that runs a command as a person would: its exit code, stdout and stderr.

    Variables are given by name, and only to this one command, as is whatever it sets itself.
    """

    def run(*arguments, **env):
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, env),
            one_leak_allowed(port),
            redirect_stdout(out),
            redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            main([str(each) for each in arguments])
        # A command whose Prefect server is away gives up events for its process: here others go on.
        events.use()
        return ended.value.code or 0, out.getvalue(), err.getvalue()

    return run


def in_another(*arguments, **env):
    """Run a command in a process of its own; return its exit code, stdout and stderr."""
    done = subprocess.run(
        [COMMAND, *arguments], env=os.environ | env, capture_output=True, text=True, check=False, timeout=LIMIT
    )
    return done.returncode, done.stdout, done.stderr
