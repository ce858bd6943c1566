"""Print how a migration went: a row for each namespace, those first that need a person, and what to do next.

Print how a populate went: a row for each namespace, those first that need a person, and what to do next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import typer

from kubeferry.flows.console.output import line, print_document, table
from kubeferry.flows.console.results import STYLES
from kubeferry.flows.options.common import Format
from kubeferry.tasks.core.models.results import EXIT_CODES

if TYPE_CHECKING:
    from kubeferry.tasks.core.formats.migration import End
    from kubeferry.tasks.core.models.results import MigrateResult, PopulateResult


ORDER = ("Failed", "Partial", "Completed")


def finish(result: MigrateResult, output: Format) -> None:
    """Print a result and exit with the code of its phase."""
    if output is Format.TABLE:
        _table(result)
    else:
        print_document(document(result), output)
    raise typer.Exit(EXIT_CODES[result.phase])


def document(result: MigrateResult) -> dict[str, Any]:
    """Return a result as JSON's types, with its totals."""
    totals = {"objects": result.objects, "seconds": round(result.seconds, 3), "phases": result.phases}
    return result.model_dump(mode="json") | totals


def _table(result: MigrateResult) -> None:
    ends = sorted(result.namespaces, key=lambda end: ORDER.index(end.phase.value))
    table(["NAMESPACE", "STATUS", "OBJECTS", "SECONDS", "RESTORE", "WHY"], [_row(end) for end in ends])
    told = ", ".join(f"{count} {phase}" for phase, count in result.phases.items())
    line(
        f"\nmigrate {result.name}: {result.phase}, {told}, {result.objects} objects in {result.seconds:.1f} s",
        STYLES[result.phase.value],
    )
    if any(not end.done for end in ends):
        line(f"do what is missing: kubeferry migrate --resume {result.name}")


def _row(end: End) -> list[Any]:
    return [end.title, end.phase.value, end.objects, f"{end.seconds:.1f}", end.restore, end.why]


def finish_populate(result: PopulateResult, output: Format) -> NoReturn:
    """Print a result and exit with the code of its phase."""
    if output is Format.TABLE:
        _populate_table(result)
    else:
        totals = {"objects": result.objects, "seconds": round(result.seconds, 3), "phases": result.phases}
        print_document(result.model_dump(mode="json") | totals, output)
    raise typer.Exit(EXIT_CODES[result.phase])


def _populate_table(result: PopulateResult) -> None:
    ends = sorted(result.namespaces, key=lambda end: ORDER.index(end.phase.value))
    table(["NAMESPACE", "STATUS", "OBJECTS", "SECONDS", "RESTORE", "WHY"], [_populate_row(end, result) for end in ends])
    told = ", ".join(f"{count} {phase}" for phase, count in result.phases.items())
    line(f"\npopulate {result.name}: {result.phase}, {told} in {result.seconds:.1f} s", STYLES[result.phase.value])
    if any(not end.done for end in ends):
        line("do what is missing: the same command again")


def _populate_row(end: End, result: PopulateResult) -> list[Any]:
    why = end.why or ("made by an earlier run" if end.into in result.earlier else "")
    return [end.into, end.phase.value, end.objects, f"{end.seconds:.1f}", end.restore, why]
