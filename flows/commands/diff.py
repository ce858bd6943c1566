"""`kubeferry diff`: show how a cluster, or another backup, differs from a backup; it only reads, without Prefect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from kubeferry.flows.options.common import Format
from kubeferry.flows.options.from_model import takes
from kubeferry.flows.options.shared import OF_BACKUP, PLACE

if TYPE_CHECKING:
    from rich.text import Text

    from kubeferry.tasks.core.compare.report import DiffReport, ReportedDifference
    from kubeferry.tasks.core.models.options import RestoreOptions

EPILOG = """\
Examples:
  kubeferry diff before-upgrade
  kubeferry diff before-upgrade --map shop=shop2 --context production
  kubeferry diff monday --against tuesday --no-unified
  kubeferry diff before-upgrade --include deployments.apps -o json

Exits 0 if nothing differs and 1 if something does, as diff does; 3 if nothing differs in what could be compared but
something could not be compared.
"""

COLOURS = {"+": "green", "-": "red", "@": "cyan"}
"""First character of a line of a unified diff → its colour on a terminal."""

FIELDS = 4
"""Most fields that a row of the table names; the diff and -o json have all of them."""


@takes(
    "diff",
    f"backup rename against unified no_rewrite rewrite_also rewrite_rules allow_plain {OF_BACKUP} {PLACE}",
    "identity verify_with output debug",
    model="options.RestoreOptions",
)
def diff(asked: RestoreOptions, *, against: str, unified: bool, output: Format) -> None:
    """Show what was added, removed and changed since a backup, in a cluster or in another backup.

    What every cluster decides for itself (addresses, uids, status, what controllers create) is no difference.
    The content of a Secret is never shown, only which of its values changed.
    """
    from kubeferry.flows.console.terminal import showing_progress
    from kubeferry.tasks.diff.compare import compared

    with showing_progress():
        found = compared(asked, against, with_diff=unified)
    _print(found, output)
    raise typer.Exit(found.exit_code)


def _print(found: DiffReport, output: Format) -> None:
    from kubeferry.flows.console.output import line, print_document, table
    from kubeferry.flows.console.results import problems

    if output is not Format.TABLE:
        print_document(found.model_dump(mode="json"), output)
        return
    if found.objects:
        table(["OBJECT", "CHANGE", "FIELDS"], [_row(each) for each in found.objects])
    problems("Not compared", found.problems)
    _diffs(found)
    line(_last(found), "bold green" if found.same and not found.problems else "bold yellow")


def _diffs(found: DiffReport) -> None:
    """Print the diffs: coloured on a terminal, plain elsewhere, since they may have a million lines."""
    import sys

    from kubeferry.flows.console.output import stdout
    from kubeferry.tasks.core.jsondoc.printable import plain

    console = stdout()
    for each in found.objects:
        if not console.is_terminal:
            sys.stdout.writelines(f"{plain(text)}\n" for text in ("", *each.diff.splitlines()) if each.diff)
        elif each.diff:
            console.print(_coloured(each.diff), soft_wrap=True)


def _coloured(diff: str) -> Text:
    from rich.text import Text

    from kubeferry.tasks.core.jsondoc.printable import plain

    coloured = Text()
    for text in diff.splitlines():
        colour = "bold" if text.startswith(("---", "+++")) else COLOURS.get(text[:1], "")
        coloured.append(f"\n{plain(text)}", colour)
    return coloured


def _row(each: ReportedDifference) -> list[str]:
    named = f"{each.type} {each.namespace}/{each.name}" if each.namespace else f"{each.type} {each.name}"
    more = f" and {len(each.fields) - FIELDS} more" if len(each.fields) > FIELDS else ""
    fields = ", ".join(field.path for field in each.fields[:FIELDS]) + more
    return [named, each.change, f"{fields} ({each.why})" if fields and each.why else fields or each.why]


def _last(found: DiffReport) -> str:
    counts = dict(found.counts)
    same = counts.pop("same")
    what = f"backup {found.backup} and {found.against}"
    if found.same:
        return f"\n{what}: no difference in {same} objects" + (", as far as could be seen" if found.problems else "")
    return f"\n{what}: " + ", ".join(f"{count} {change}" for change, count in counts.items()) + f", {same} the same"
