"""Run one step of the build and tell how far it is: Go tells on stderr what it downloads or compiles, line by line."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections import deque
from typing import TYPE_CHECKING

from kubeferry.deployments.sandbox.failure import TAIL, SandboxError, with_notes
from kubeferry.tasks.ports.local import progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import IO

    from kubeferry.deployments.sandbox.toolchain import Go

SAY_EVERY = 20.0
"""Seconds between two notes of what is being compiled, for terminals without a moving display."""


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
    """Run `go ARGS` in the folder `module`, telling progress as `WHAT: NAME`; return how many lines it printed.

    `total` is how many lines it may tell on stderr. Raises SandboxError with the step's name, and the
    compiler's last lines as notes, when it fails.
    """
    # Apart from stderr, so that a long list does not push what went wrong out of the last lines.
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
            except BaseException:  # Ctrl-C among them: no compiler is left behind
                process.terminate()
                raise
        if process.returncode != 0:
            failed = SandboxError(f"the {what}'s build failed at `{name}` (go {' '.join(args)})")
            raise with_notes(failed, (f"  {line}" for line in last))
        progress.step(f"{what}: {name}", total or count, total or count)
        printed.seek(0)
        return sum(1 for _ in printed)


def follow(name: str, lines: IO[str] | None, total: int | None) -> tuple[int, deque[str]]:
    """Count `lines` until they end, telling progress; return their number and the last ones."""
    begun = said = time.monotonic()
    count = 0
    last: deque[str] = deque(maxlen=TAIL)
    for line in lines or ():
        last.append(line.rstrip())
        count += 1
        progress.step(name, min(count, total) if total else count, total)
        if time.monotonic() - said > SAY_EVERY:
            said = time.monotonic()
            progress.note(f"{name}: {last[-1]} ({count} of {total or '?'}, {said - begun:.0f} s)")
    return count, last
