"""An undo as tables: what it deletes, what gets its former content, what stays and why."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NoReturn

from kubeferry.flows.console import results
from kubeferry.flows.console.output import line
from kubeferry.flows.console.results import end, problems, section, totals
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.plan.reversal import is_privileged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.flows.options.common import Format
    from kubeferry.tasks.core.models.options import UndoOptions
    from kubeferry.tasks.core.models.results import UndoResult

NAMES = 5
"""Most objects named in a question."""


def finish(result: UndoResult, asked: UndoOptions, output: Format) -> NoReturn:
    """Print a result and exit with the code of its phase."""
    if not result.dry_run:
        results.finish(result, asked, output)

    def tables() -> None:
        shown(result)
        line(f"\nnothing was changed: a dry run; --expect {result.digest} reverts exactly this")

    end(result, output, tables, totals(result))


def shown(result: UndoResult) -> None:
    """Print what would be reverted."""
    section("Deleted", ["TYPE", "OBJECTS"], sorted(_types(result.to_delete).items()))
    section("Given its former content", ["OBJECT"], [[each] for each in result.to_restore])
    problems("Stays", result.taken_back.left)
    line(f"\nundo {result.name} on {result.cluster}: {_count(result)}", "bold")


def question(result: UndoResult) -> str:
    """Return what to ask; it names what gives rights or decides what the cluster accepts. "" if there is nothing."""
    if not (result.to_delete or result.to_restore):
        return ""
    special = [each for each in (*result.to_delete, *result.to_restore) if is_privileged(Ref.parse(each))]
    more = f" and {len(special) - NAMES} more" if len(special) > NAMES else ""
    named = f", among them {', '.join(special[:NAMES])}{more}" if special else ""
    return f"Revert it: {_count(result)}{named}?"


def _count(result: UndoResult) -> str:
    return f"{len(result.to_delete)} objects deleted, {len(result.to_restore)} restored"


def _types(objects: Iterable[str]) -> Counter[str]:
    return Counter(each.partition(" ")[0] for each in objects)
