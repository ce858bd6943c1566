"""kubectl on a sandbox."""

import os
import subprocess

from tests.support.limits import LIMIT


class KubectlError(Exception):
    """What kubectl printed when it failed."""


def run(sandbox, *args, context="kubeferry-a", text=None):
    """Return what kubectl printed. Raises KubectlError when it fails."""
    argv = ["kubectl", "--context", context, *args]
    env = {**os.environ, **sandbox.env()}
    done = subprocess.run(argv, env=env, input=text, capture_output=True, text=True, check=False, timeout=LIMIT)
    if done.returncode:
        raise KubectlError(done.stderr)
    return done.stdout
