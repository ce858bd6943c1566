"""A deletion as tables: what is deleted in which order, its dependents, what still needs it, what stays and why."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any, NoReturn

from kubeferry.flows.console.output import line
from kubeferry.flows.console.results import STYLES, counts, end, problems, section, totals
from kubeferry.tasks.core.deletion.finalizers import COLLECTORS
from kubeferry.tasks.core.transform.strip.portable import SAFE_FINALIZERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubeferry.flows.options.common import Format
    from kubeferry.tasks.core.models.options import DeleteOptions
    from kubeferry.tasks.core.models.results import DeleteResult, ObjectToDelete

NAMES = 3
"""Most names shown of one type in one level; -o json has all of them."""


def finish(result: DeleteResult, asked: DeleteOptions, output: Format) -> NoReturn:
    """Print a result and exit with the code of its phase."""
    end(result, output, lambda: _tables(result, asked), totals(result))


def _tables(result: DeleteResult, asked: DeleteOptions) -> None:
    if result.dry_run:
        shown(result)
        line(f"\nnothing was deleted: a dry run; --expect {result.digest} deletes exactly this")
    else:
        counts(result.counts, "deleted")
        _around(result)
        _last(result, asked)


def shown(result: DeleteResult) -> None:
    """Print what would be deleted."""
    asked = [each for each in result.members if not each.follows]
    section("Deleted, in this order", ["STEP", "TYPE", "OBJECTS", "NAMES"], list(_steps(asked)))
    dependents = Counter(each.object.partition(" ")[0] for each in result.members if each.follows)
    section("Deleted with their owners", ["TYPE", "OBJECTS"], sorted(dependents.items()))
    known = {*COLLECTORS, *SAFE_FINALIZERS}
    waits = [(each.object, [name for name in each.finalizers if name not in known]) for each in result.members]
    section("Deleted when the finalizers are done", ["OBJECT", "FINALIZERS"], [row for row in waits if row[1]])
    _around(result)
    where = ", ".join(result.namespaces)
    what = f"bundle {result.bundle}" if result.bundle else f"objects with labels {result.selector}"
    line(f"\n{what} in {where} on {result.cluster}: {result.objects} objects in {result.levels} levels", "bold")


def _steps(members: Iterable[ObjectToDelete]) -> Iterable[list[Any]]:
    for step, (_, level) in enumerate(groupby(members, key=lambda each: each.level), start=1):
        named = sorted(each.object.split(" ", 1) for each in level)
        for kind, some in groupby(named, key=lambda each: each[0]):
            names = [name for _, name in some]
            more = [f"{len(names) - NAMES} more"] if len(names) > NAMES else []
            yield [step, kind, len(names), [*names[:NAMES], *more]]


def _around(result: DeleteResult) -> None:
    needed = [[each.object, each.by, each.why] for each in result.needed]
    section("Still needed by others", ["OBJECT", "NEEDED BY", "FIELD"], needed)
    stays = [[f"{each.type} {each.namespace}/{each.name}", each.why] for each in result.left_out]
    section("Stays", ["OBJECT", "WHY"], stays)
    problems("Stays, unlinked from its deleted owner", result.untied)
    problems("Listed in the bundle but not created by it: not touched", result.refused)
    problems("Finalizers removed", result.forced)
    problems("Still there", result.left)
    problems("Not checked: may need what is deleted", result.warnings)


def _last(result: DeleteResult, asked: DeleteOptions) -> None:
    line(
        f"\ndelete {asked.what}: {result.phase}, {result.objects} objects in {result.seconds:.1f} s, {result.cluster}",
        STYLES[result.phase.value],
    )
    if result.left:
        line("run the same command again to continue; --force-finalizers removes the finalizers of what is not deleted")
