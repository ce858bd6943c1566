"""Files of a Go module at an exact version: its zip holds the repository, and its sum says that nothing has changed."""

import json
import subprocess
from pathlib import Path

from kubeferry.deployments.sandbox import build


def download(module, version, checksum, folder):
    """Return the folder of a module, downloaded once into Go's cache. Go checks it, and so does `checksum` of go.sum.

    `folder` is an empty one, outside of any module.
    """
    go = build.find(build.MODULE)
    argv = [go.path, "mod", "download", "-json", f"{module}@{version}"]
    done = subprocess.run(
        argv, cwd=folder, env=go.env | {"GOFLAGS": "-mod=mod"}, capture_output=True, text=True, check=False, timeout=600
    )
    found = json.loads(done.stdout or "{}")
    assert "Dir" in found, f"{module}@{version}: {found.get('Error', done.stderr)}"
    assert found["Sum"] == checksum, f"{module}@{version} has another content than before"
    return Path(found["Dir"])
