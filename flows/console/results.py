"""Print what a backup or a restore answered, and exit by its phase."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from kubeferry.flows.console.output import line, print_document, table
from kubeferry.flows.options.common import Format
from kubeferry.tasks.core.models.results import EXIT_CODES, BackupResult, RestoreResult, TakenBack, UndoResult
from kubeferry.tasks.core.ops.report import DONE, aftermath

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kubeferry.tasks.core.formats.records import LeftOut, Phase, Problem, PulledIn
    from kubeferry.tasks.core.models.options import Place
    from kubeferry.tasks.core.models.results import PruneResult, Result

STYLES = {"Completed": "bold green", "Partial": "bold yellow", "Failed": "bold red"}
AnyResult = BackupResult | RestoreResult | UndoResult
MOST = 20
"""Rows of a section that could be as long as the namespace is large; -o json has all of them."""


def end(result: Result | PruneResult, output: Format, tables: Callable[[], None], totals: dict[str, Any]) -> NoReturn:
    """Print a result, by `tables` or as a document with its totals, and exit with the code of its phase."""
    if output is Format.TABLE:
        tables()
    else:
        print_document(result.model_dump(mode="json") | totals, output)
    raise typer.Exit(EXIT_CODES[result.phase])


def totals(result: Result) -> dict[str, Any]:
    """Return what a document tells of a result besides its fields."""
    return {"objects": result.objects, "seconds": round(result.seconds, 3)}


def finish(result: AnyResult, asked: Place, output: Format) -> NoReturn:
    """Print a result, of a flow that was `asked` for, and exit with the code of its phase."""

    def tables() -> None:
        _tables(result)
        _next(result, asked)

    end(result, output, tables, totals(result))


def failed(result: RestoreResult, output: Format) -> None:
    """Print what a restore that failed had done, and what became of it; the error itself is told as every error."""
    if output is not Format.TABLE:
        print_document(document(result), output)
        return
    section("Done", ["ACTION", "OBJECTS"], sorted(result.actions.items()))
    if result.taken_back:
        taken_back(result.taken_back)
    for each in aftermath(result):
        line(each)


def document(result: AnyResult) -> dict[str, Any]:
    """Return a result as JSON's types, with its totals."""
    return result.model_dump(mode="json") | totals(result)


def _tables(result: AnyResult) -> None:
    counts(result.counts, DONE[type(result)])
    if isinstance(result, RestoreResult):
        _restored(result)
    if isinstance(result, UndoResult):
        taken_back(result.taken_back)
    if isinstance(result, BackupResult):
        encrypted_to(result.encrypted_to)
    if isinstance(result, BackupResult):
        selected(result.selection, result.pulled_in)
    left_out(result.left_out)
    problems("Warnings", result.warnings)
    problems("Problems", result.problems)
    _last(result)


def counts(found: dict[str, int], done: str) -> None:
    """Print how many objects of each type there are."""
    if found:
        table(["TYPE", done.upper()], sorted(found.items()))


def left_out(found: Sequence[LeftOut]) -> None:
    """Print what was left out: a row for each type and reason."""
    groups = Counter((each.type, each.why) for each in found)
    section("Left out", ["TYPE", "OBJECTS", "WHY"], [[kind, n, why] for (kind, why), n in sorted(groups.items())])


def selected(asked: str, found: Sequence[PulledIn]) -> None:
    """Print what was asked for, and what is in besides, with the reason: a row each."""
    if asked:
        line(f"\nSelected: {asked}")
    section("Pulled in", ["OBJECT", "WHY"], [[_named(each), each.why] for each in found])


def _named(each: PulledIn) -> str:
    return f"{each.type} {each.namespace}/{each.name}" if each.namespace else f"{each.type} {each.name}"


def problems(title: str, found: Sequence[Problem]) -> None:
    """Print problems, a row each."""
    section(title, ["WHAT", "WHY"], [[each.what, each.why] for each in found])


def section(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table under a title, or nothing when it has no rows."""
    if rows:
        table(columns, rows[:MOST], title=title)
    if len(rows) > MOST:
        line(f"… and {len(rows) - MOST} more: see -o json")


def _restored(result: RestoreResult) -> None:
    section("Done", ["ACTION", "OBJECTS"], sorted(result.actions.items()))
    section(
        "Not simply created",
        ["OBJECT", "ACTION", "WHY"],
        [[f"{each.type} {each.namespace}/{each.name}", each.action, each.why] for each in result.notable],
    )
    section(
        "Rewritten",
        ["OBJECT", "FIELD", "CHANGE"],
        [[each.object, each.path, f"{each.old} → {each.new} ({each.why})"] for each in result.rewrites],
    )
    problems("Not ready", result.not_ready)


def taken_back(found: TakenBack) -> None:
    """Print what became of what a restore did."""
    section("Taken back", ["ACTION", "OBJECTS"], [["deleted", found.deleted], ["restored", found.restored]])
    problems("Not taken back", found.left)
    problems("Not exactly as before", found.notes)


def encrypted_to(recipients: Sequence[str]) -> None:
    """Print whose keys open an encrypted backup, and what that gives up."""
    section("Encrypted, Velero cannot read it", ["TO"], [[each] for each in recipients])


def _last(result: AnyResult) -> None:
    what = type(result).__name__.removesuffix("Result").lower()
    line(
        f"\n{what} {result.name}: {result.phase}, {result.objects} objects in {result.seconds:.1f} s, {result.store}",
        _style(result.phase),
    )


def _next(result: AnyResult, asked: Place) -> None:
    """Print the command that a person would type next."""
    if isinstance(result, BackupResult):
        first = result.namespaces[0]
        whole = not result.selection or "Namespace" in result.counts  # a selection may hold none
        words = ["kubeferry", "restore", result.name, *(["--map", f"{first}={first}2"] if whole else [])]
        key = " --identity FILE" if result.encrypted_to else ""
        line(f"restore it{' beside the first' * whole}: {shlex.join([*words, *_typed(asked)])}{key}")


def _typed(asked: Place) -> list[str]:
    """Return the options that say where, but for those that the next command gets from the environment too."""
    where = {"context": asked.context, "kubeconfig": asked.kubeconfig, "store": asked.store}
    return [
        word
        for name, value in where.items()
        if value != os.environ.get(f"KUBEFERRY_{name.upper()}", "")
        for word in (f"--{name}", value)
    ]


def _style(phase: Phase) -> str:
    return STYLES[phase.value]
