"""`kubeferry sandbox`: start, stop and show the local control plane, which is in kubeferry.deployments.sandbox."""

from __future__ import annotations

import shlex
import sys
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from kubeferry.flows.options.common import Format
from kubeferry.flows.options.from_model import takes
from kubeferry.flows.options.help import App
from kubeferry.tasks.core.errors import KubeferryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.deployments.sandbox.sandbox import Sandbox

UP = """\
Examples:
  kubeferry sandbox up
  kubeferry sandbox up --clusters 3
  kubeferry sandbox up --with helm
"""
DOWN = """\
Examples:
  kubeferry sandbox down
  kubeferry sandbox down --purge
"""
STATUS = """\
Examples:
  kubeferry sandbox status
  kubeferry sandbox status -o json
"""
ENV = """\
Examples:
  eval "$(kubeferry sandbox env)"
  kubeferry sandbox env -o json
"""

app = App(
    no_args_is_help=True,
    help="A real local control plane: clusters with simulated nodes, and an S3 server, as processes on loopback.",
)


@app.command(epilog=UP)
@takes("sandbox up", "clusters tools debug")
def up(*, clusters: int, tools: list[str]) -> None:
    """Start what is not running, repair what is broken; the first time, build the binaries.

    Building takes some minutes, once; starting takes seconds.
    If the machine has no Go, install Kubeferry's extra `sandbox`, which includes it.
    """
    from kubeferry.deployments.sandbox import build
    from kubeferry.flows.console.output import line

    with opened() as sandbox:
        sandbox.up(clusters)
        for name in tools:
            build.binaries(build.TOOLS[name])
        contexts = ", ".join(sandbox.contexts())
    line(f"{contexts} and an S3 server are up.")
    line('To use them in this shell: eval "$(kubeferry sandbox env)"')


@app.command(epilog=DOWN)
@takes("sandbox down", "purge debug")
def down(*, purge: bool) -> None:
    """Stop every process of the sandbox; its data is kept for the next `up`, unless --purge."""
    from kubeferry.flows.console.output import line

    with opened() as sandbox:
        sandbox.down(purge=purge)
    line("The sandbox is down" + (", its data deleted." if purge else "; its data is kept."))


@app.command(epilog=STATUS)
@takes("sandbox status", "output debug")
def status(*, output: Format) -> None:
    """Show every process: its pid, its port, whether it is healthy; exit 1 if one is not, or there is none."""
    from kubeferry.flows.console.output import line, print_rows

    with opened() as sandbox:
        rows = [asdict(row) for row in sandbox.status()]
    if rows or output is not Format.TABLE:
        print_rows(rows, output)
    else:
        line("There is no sandbox yet: start it with `kubeferry sandbox up`.")
    if not rows or not all(row["healthy"] for row in rows):
        raise typer.Exit(1)


@app.command(epilog=ENV)
@takes("sandbox env", "output debug")
def env(*, output: Format | None) -> None:
    """Print the variables that a shell needs for the sandbox: KUBECONFIG, PATH with kubectl, AWS_*, KUBEFERRY_STORE."""
    from kubeferry.flows.console.output import print_object

    with opened() as sandbox:
        if not sandbox.contexts():
            raise UsageError("there is no sandbox yet: start it with `kubeferry sandbox up`")
        values = sandbox.env()
    if output:
        print_object(values, output)
    else:
        typer.echo("\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items()))


@contextmanager
def opened() -> Iterator[Sandbox]:
    """Yield the sandbox of this user (KUBEFERRY_HOME moves it), and show progress.

    The notes of an error (the last lines of a log) are printed on stderr before it.
    """
    from kubeferry.deployments.sandbox.sandbox import Sandbox  # here, to keep `--help` quick
    from kubeferry.flows.console.terminal import showing_progress
    from kubeferry.tasks.core.jsondoc.printable import plain

    try:
        with showing_progress():
            yield Sandbox()
    except KubeferryError as error:
        for note in getattr(error, "__notes__", ()):
            sys.stderr.write(f"{plain(note)}\n")
        raise
