"""kubectl on a sandbox."""

import os
import shutil
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


def run_script(script, tools):
    """Run the script of a plan on the second cluster, with nothing on its PATH but the tools that it may use."""
    env = {"PATH": str(tools), "KUBECONFIG": os.environ["KUBECONFIG"], "WAIT_SECONDS": str(LIMIT), "HOME": str(tools)}
    argv = [shutil.which("bash"), str(script), "kubeferry-b"]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=LIMIT)
