"""Helm on a sandbox, for the tests of exports."""

import os
import subprocess

import pytest
from tests.support.bench import B

from kubeferry.deployments.sandbox import build


class HelmError(Exception):
    """What Helm printed when it failed."""


@pytest.fixture(scope="module")
def helm(sandbox_env):
    """Return a function that runs Helm on the second cluster; it is built if it was not yet."""
    binary = build.binaries(build.TOOLS["helm"]) / "helm"

    def run(*arguments):
        argv = [binary, *map(str, arguments), "--kube-context", B]
        env = {**os.environ, **sandbox_env.env()}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=400)
        if done.returncode:
            raise HelmError(done.stderr + done.stdout)
        return done.stdout

    return run
