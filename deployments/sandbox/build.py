"""Build the sandbox's binaries once per go.mod and keep them in the cache, where any number of sandboxes run them.

The cache folder is named by a digest of all that decides the outcome and appears by one rename, so a folder that is
there is complete. Two processes do not build twice: the second waits for the first.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kubeferry.deployments.sandbox import toolchain
from kubeferry.deployments.sandbox.compiling import run_step
from kubeferry.deployments.sandbox.failure import SandboxError
from kubeferry.deployments.sandbox.locks import locked
from kubeferry.tasks.ports.local import paths as places
from kubeferry.tasks.ports.local import progress

MODULE = Path(__file__).parent / "go"
KUBERNETES = "v1.36.1"
LDFLAGS = f"-s -w -X k8s.io/component-base/version.gitVersion={KUBERNETES}"
"""Without the version, kubectl complains that it differs too much from its server."""

RENAMED = {"server": "etcd"}
"""Go names a binary after its folder."""


@dataclass(frozen=True)
class Recipe:
    """What to build: a folder with go.mod and go.sum, the linker's flags, and the names that must come out of it."""

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
        """Return a name for the outcome: of go.mod, go.sum, the flags and this kind of machine."""
        parts = [(self.module / name).read_bytes() for name in ("go.mod", "go.sum")]
        told = [self.ldflags, *self.binaries, platform.system(), platform.machine()]
        return hashlib.sha256(b"\0".join([*parts, *(part.encode() for part in told)])).hexdigest()[:16]

    def place(self) -> Path:
        """Return the folder that the binaries are in once they are built."""
        return self.cache() / self.digest() / "bin"

    def cache(self) -> Path:
        """Return the folder that holds every build."""
        return places.cache() / "sandbox"


def binaries(recipe: Recipe | None = None) -> Path:
    """Return the folder of the built binaries, building them first when they are not there.

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
    """Build `recipe` in a folder beside its place, then rename it into that. The caller holds the lock."""
    cache = recipe.cache()
    for left in cache.glob(".build-*"):  # of a build that was killed: nobody else holds the lock
        shutil.rmtree(left)
    go = toolchain.find(recipe.module)
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
    """Give the binaries in `place` their names; refuse an outcome in which one is missing."""
    for old, new in RENAMED.items():
        if (place / old).exists():
            (place / old).rename(place / new)
    missing = [name for name in recipe.binaries if not (place / name).exists()]
    if missing:
        raise SandboxError(f"the {recipe.what}'s build made no {', '.join(missing)}: is a tool missing in go.mod?")
