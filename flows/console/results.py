"""Print the result of a backup, a restore or an undo, and exit with the code of its phase."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from kubeferry.flows.console.output import line, print_document, table
from kubeferry.flows.options.common import Format
from kubeferry.tasks.core.formats.loss_sections import sections
from kubeferry.tasks.core.formats.losses import by_weight
from kubeferry.tasks.core.models.results import EXIT_CODES, BackupResult, RestoreResult, RollbackResult, UndoResult
from kubeferry.tasks.core.ops.report import DONE, aftermath

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kubeferry.tasks.core.formats.losses import Loss
    from kubeferry.tasks.core.formats.outside import Outside
    from kubeferry.tasks.core.formats.records import LeftOut, Phase, Problem, PulledIn
    from kubeferry.tasks.core.models.options import Place
    from kubeferry.tasks.core.models.results import PruneResult, Result

STYLES = {"Completed": "bold green", "Partial": "bold yellow", "Failed": "bold red"}
AnyResult = BackupResult | RestoreResult | UndoResult
MOST = 20
"""Most rows of a section, which may be as long as the namespace is large; -o json has all of them."""


def end(result: Result | PruneResult, output: Format, tables: Callable[[], None], totals: dict[str, Any]) -> NoReturn:
    """Print a result, by `tables` or as a document with its totals, and exit with the code of its phase."""
    if output is Format.TABLE:
        tables()
    else:
        print_document(result.model_dump(mode="json") | totals, output)
    raise typer.Exit(EXIT_CODES[result.phase])


def totals(result: Result) -> dict[str, Any]:
    """Return what a document has of a result besides its fields."""
    return {"objects": result.objects, "seconds": round(result.seconds, 3)}


def finish(result: AnyResult, asked: Place, output: Format) -> NoReturn:
    """Print the result of a flow with the options `asked`, and exit with the code of its phase."""

    def tables() -> None:
        _tables(result)
        _next(result, asked)

    end(result, output, tables, totals(result))


def failed(result: RestoreResult, output: Format) -> None:
    """Print what a failed restore had done, and what was rolled back; the error itself is printed like any other."""
    if output is not Format.TABLE:
        print_document(document(result), output)
        return
    section("Done", ["ACTION", "OBJECTS"], sorted(result.actions.items()))
    if result.taken_back:
        show_rollback(result.taken_back)
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
        show_rollback(result.taken_back)
    if isinstance(result, BackupResult):
        encrypted_to(result.encrypted_to)
        selected(result.selection, result.pulled_in)
    left_out(result.left_out)
    losses(result.losses)
    problems("Warnings", result.warnings)
    problems("Problems", result.problems)
    _last(result)


def counts(found: dict[str, int], done: str) -> None:
    """Print how many objects of each type there are."""
    if found:
        table(["TYPE", done.upper()], sorted(found.items()))


def left_out(found: Sequence[LeftOut]) -> None:
    """Print what was excluded: a row for each type and reason."""
    groups = Counter((each.type, each.why) for each in found)
    section("Excluded", ["TYPE", "OBJECTS", "WHY"], [[kind, n, why] for (kind, why), n in sorted(groups.items())])


def outside(found: Sequence[Outside]) -> None:
    """Print what was carried from outside of the namespaces, a row each, with the reason."""
    section("Carried from outside the namespace", ["OBJECT", "WHY"], [[each.text, each.why] for each in found])


def losses(found: Sequence[Loss]) -> None:
    """Print what is not as it was, a row each, in its sections."""
    for title, lines in sections(by_weight(found)):
        section(title, ["WHAT", "WHY"], [[each.place, each.why] for each in lines])


def selected(asked: str, found: Sequence[PulledIn]) -> None:
    """Print the selection, and what was added to it: a row each, with the reason."""
    if asked:
        line(f"\nSelected: {asked}")
    section("Included as dependencies", ["OBJECT", "WHY"], [[each.text, each.why] for each in found])


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


def show_rollback(found: RollbackResult) -> None:
    """Print what was rolled back of a restore, and what was not."""
    section("Rolled back", ["ACTION", "OBJECTS"], [["deleted", found.deleted], ["restored", found.restored]])
    problems("Not rolled back", found.left)
    problems("Not exactly as before", found.notes)


def encrypted_to(recipients: Sequence[str]) -> None:
    """Print the recipients of an encrypted backup, and what encryption costs."""
    section("Encrypted, Velero cannot read it", ["TO"], [[each] for each in recipients])


def _last(result: AnyResult) -> None:
    what = type(result).__name__.removesuffix("Result").lower()
    line(
        f"\n{what} {result.name}: {result.phase}, {result.objects} objects in {result.seconds:.1f} s, {result.store}",
        _style(result.phase),
    )


def _next(result: AnyResult, asked: Place) -> None:
    """Print the command to run next."""
    if isinstance(result, BackupResult):
        first = result.namespaces[0]
        whole = not result.selection or "Namespace" in result.counts  # a selection may hold no Namespace
        words = ["kubeferry", "restore", result.name, *(["--map", f"{first}={first}2"] if whole else [])]
        key = " --identity FILE" if result.encrypted_to else ""
        line(f"restore it{' beside the first' * whole}: {shlex.join([*words, *_typed(asked)])}{key}")


def _typed(asked: Place) -> list[str]:
    """Return the options for cluster and store, except those that the next command gets from the environment."""
    where = {"context": asked.context, "kubeconfig": asked.kubeconfig, "store": asked.store}
    return [
        word
        for name, value in where.items()
        if value != os.environ.get(f"KUBEFERRY_{name.upper()}", "")
        for word in (f"--{name}", value)
    ]


def _style(phase: Phase) -> str:
    return STYLES[phase.value]
