"""The outcome of a migration or a populate: a row for each namespace, failures first, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from kubeferry.flows.console.output import line, table
from kubeferry.flows.console.results import STYLES, end, losses, problems, totals

if TYPE_CHECKING:
    from kubeferry.flows.options.common import Format
    from kubeferry.tasks.core.formats.migration import End
    from kubeferry.tasks.core.models.results import MigrateResult, PopulateResult

ORDER = ("Failed", "Partial", "Completed")
MOST = 50
"""Warnings, and losses, that are printed."""

COLUMNS = ("NAMESPACE", "STATUS", "OBJECTS", "SECONDS", "RESTORE", "WHY")


def finish(result: MigrateResult, asked: object, output: Format) -> NoReturn:  # noqa: ARG001 - all are called alike
    """Print the result of a migration and exit with the code of its phase."""
    more, again = f", {result.objects} objects", f"kubeferry migrate --resume {result.name}"
    rows = [(each, each.title, each.why) for each in result.namespaces]
    end(result, output, lambda: _tables(result, rows, more, again), totals(result) | {"phases": result.phases})


def finish_populate(result: PopulateResult, asked: object, output: Format) -> NoReturn:  # noqa: ARG001 - as above
    """Print the result of a populate and exit with the code of its phase."""
    known = dict.fromkeys(result.earlier, "made by an earlier run")
    rows = [(each, each.into, each.why or known.get(each.into, "")) for each in result.namespaces]
    again = "the same command again"
    end(result, output, lambda: _tables(result, rows, "", again), totals(result) | {"phases": result.phases})


def _tables(result: MigrateResult | PopulateResult, rows: list[tuple[End, str, str]], more: str, again: str) -> None:
    """Print a row for each namespace, with its title and a remark, the total, and how to do what is missing."""
    ordered = sorted(rows, key=lambda row: ORDER.index(row[0].phase.value))
    table(COLUMNS, [_row(*row) for row in ordered])
    told = [warning for each, _, _ in ordered for warning in each.warnings]
    problems("Warnings", told[:MOST])
    if len(told) > MOST:
        line(f"and {len(told) - MOST} more: -o json has all")
    lost = [loss for each, _, _ in ordered for loss in each.losses]
    losses(lost[:MOST])
    if len(lost) > MOST:
        line(f"and {len(lost) - MOST} more: -o json has all")
    what = type(result).__name__.removesuffix("Result").lower()
    phases = ", ".join(f"{count} {phase}" for phase, count in result.phases.items())
    text = f"{what} {result.name}: {result.phase}, {phases}{more} in {result.seconds:.1f} s"
    line(f"\n{text}", STYLES[result.phase.value])
    if any(not each.done for each, _, _ in rows):
        line(f"do what is missing: {again}")


def _row(each: End, title: str, why: str) -> list[Any]:
    return [title, each.phase.value, each.objects, f"{each.seconds:.1f}", each.restore, why]
