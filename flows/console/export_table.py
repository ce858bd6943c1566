"""Print the result of an export, or the exported objects themselves, and exit with the code of its phase."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from kubeferry.flows.console.output import line, table
from kubeferry.flows.console.results import STYLES, end, left_out, losses, problems, section
from kubeferry.flows.console.terminal import showing_progress
from kubeferry.tasks.core.models.results import EXIT_CODES
from kubeferry.tasks.ports.local import progress

if TYPE_CHECKING:
    from kubeferry.flows.options.common import Format
    from kubeferry.tasks.core.models.options_export import ExportOptions
    from kubeferry.tasks.core.models.results import ExportResult


def finish(result: ExportResult, _asked: ExportOptions, output: Format) -> NoReturn:
    """Print an export, and exit."""
    end(result, output, lambda: _tables(result), {"objects": result.objects})


def _tables(result: ExportResult) -> None:
    table(["TYPE", "EXPORTED"], [[kind, count] for kind, count in sorted(result.counts.items())])
    secrets = [[each.object, each.data_keys, each.how] for each in result.secrets]
    section("Secrets", ["OBJECT", "KEYS", "EXPORT"], secrets)
    rows = [[f"{each.object} {each.path}", f"{each.old} ({each.chain})", each.how] for each in result.dynamic]
    section("Values of the source cluster", ["PLACE", "VALUE", "WHAT TO DO"], rows)
    problems("Not owned any more", result.unowned)
    left_out(result.left_out)
    losses(result.losses)
    problems("Problems", result.problems)
    problems("Warnings", result.warnings)
    line(
        f"\nexport {result.name}: {result.phase}, {result.objects} objects in {result.files} files, {result.out}",
        STYLES[result.phase.value],
    )


def stream(result: ExportResult, _asked: ExportOptions, _output: Format) -> NoReturn:
    """Print the objects as YAML documents, in the order of their files; what to know of them goes to stderr."""
    out = Path(result.out)
    for number, file in enumerate(sorted(path.relative_to(out).as_posix() for path in out.rglob("*.yaml"))):
        sys.stdout.write("---\n" * (number > 0) + (out / file).read_text(encoding="utf-8"))
    with showing_progress():
        for secret in result.secrets:
            progress.note(f"{secret.object} is {secret.how}; its keys: {', '.join(secret.data_keys)}")
        for loss in result.losses:
            progress.note(f"{loss.place}: {loss.why}")
        for each in result.dynamic:
            progress.note(f"{each.object} {each.path}: {each.how} ({each.chain})")
    raise typer.Exit(EXIT_CODES[result.phase])
