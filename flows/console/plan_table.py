"""A plan as text of 80 columns: level by level, each object with what it waits for and the field that needs it.

Names come from an archive that anybody may have written: control characters are shown as escapes.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.loss_sections import sections
from kubeferry.tasks.core.jsondoc.printable import one_line
from kubeferry.tasks.core.kube.kinds import is_built_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kubeferry.tasks.core.formats.records import LeftOut
    from kubeferry.tasks.core.plan.document import Named, Need, PlanDocument, PlannedObject

WIDTH = 80
COPY = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration"
"""kubectl's copy of the object. It is changed as the object is, so its changes are not shown again."""

MOST = 3
"""Most names shown where many share a reason."""


def lines(plan: PlanDocument) -> Iterator[str]:
    """Yield the lines of the table, each with its end."""
    for line in _lines(plan):
        yield line + "\n"


def _lines(plan: PlanDocument) -> Iterator[str]:
    short = _Short(plan)
    yield from _head(plan)
    first = [*plan.first.namespaces, *plan.first.definitions]
    yield from _section("First, before all levels") if first else ()
    for each in first:
        yield from _object(each, short, plan)
    for level in plan.levels:
        yield from _section(f"Level {level.number} of {len(plan.levels)} ({level.phase})")
        for each in level.objects:
            yield from _object(each, short, plan)
    yield from _broken(plan, short)
    yield from _more(plan, short)


def _head(plan: PlanDocument) -> Iterator[str]:
    moved = ", ".join(old if old == new else f"{old} → {new}" for old, new in plan.namespaces.items())
    yield from _wrapped(f"Plan of backup {plan.backup}: {moved}", "")
    total = plan.summary
    yield from _wrapped(
        f"{_count(total.objects, 'object')} in {_count(total.levels, 'level')}; {_count(total.needs, 'need')}, "
        f"{_count(total.bindings, 'binding')}, {_count(sum(total.rewrites.values()), 'rewrite')}; "
        f"{total.left_out} left out",
        "",
    )
    yield from _wrapped(f"Selected: {plan.selection}", "") if plan.selection else ()


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _section(title: str) -> list[str]:
    return ["", title]


def _object(each: PlannedObject, short: _Short, plan: PlanDocument) -> Iterator[str]:
    yield from _wrapped(short(each) + (f"   (not waited for: {each.not_ready})" if each.not_ready else ""), "  ")
    yield from _wrapped(f"in: {each.why}", "      ") if plan.selection else ()
    for target, whys in short.needs(each.needs).items():
        yield from _wrapped(f"after {target}: {', '.join(whys)}", "      ")
    for owner in each.unowned:
        yield from _wrapped(f"not owned by {owner}", "      ")
    for binding in (one for one in each.bindings if not one.path.startswith(COPY)):
        yield from _wrapped(f"looks up {binding.path} ← {binding.chain}", "      ")
    for rewrite in each.rewrites:
        yield from _wrapped(f"rewrites {rewrite.path}: {rewrite.old} → {rewrite.new} ({rewrite.why})", "      ")


def _broken(plan: PlanDocument, short: _Short) -> Iterator[str]:
    if plan.broken:
        yield from _section("Cycles, and where they are broken")
    for each in plan.broken:
        text = f"{short(each.source)} does not wait for {short(each.target)} ({each.because}): {each.instead}"
        yield from _wrapped(text, "  ")


def _more(plan: PlanDocument, short: _Short) -> Iterator[str]:
    if plan.impossible:
        yield from _section("Cannot be carried out: a restore refuses this")
    for reason in plan.impossible:
        yield from _wrapped(reason, "  ")
    if plan.target_must_have:
        yield from _section("What the target must have already")
    for each in plan.target_must_have:
        yield from _wrapped(f"{short(each)}: named by {_some([short(user) for user in each.users])}", "  ")
    yield from _unmet(plan, short)
    if plan.left_out:
        yield from _section("Excluded")
    reasons: dict[tuple[str, str], list[LeftOut]] = {}
    for gap in plan.left_out:
        reasons.setdefault((gap.type, gap.why), []).append(gap)
    for (kind, why), gaps in reasons.items():
        yield from _wrapped(f"{kind} {_some([gap.name for gap in gaps])}: {why}", "  ")


def _unmet(plan: PlanDocument, short: _Short) -> Iterator[str]:
    """Yield what a selection excludes though it is needed, and its terms that match nothing."""
    if plan.missing:
        yield from _section("Needed, but excluded")
    for lacking in plan.missing:
        users = _some([short(user) for user in lacking.users])
        yield from _wrapped(f"{short(lacking)}: {lacking.why}; needed by {users} ({lacking.because})", "  ")
    for title, found in (
        ("Matches nothing", plan.warnings),
        ("Rights of others", plan.grants),
        ("Not done as asked", plan.problems),
    ):
        yield from _section(title) if found else ()
        for each in found:
            yield from _wrapped(f"{each.what}: {each.why}", "  ")
    for title, lost in sections(plan.losses):
        yield from _section(title)
        for line in lost:
            yield from _wrapped(f"{line.place}: {line.why}", "  ")


def _some(names: list[str]) -> str:
    return ", ".join(names[:MOST]) + (f" and {len(names) - MOST} more" if len(names) > MOST else "")


class _Short:
    """Short names of objects: without the namespace if there is only one, and without Kubernetes' own API groups."""

    def __init__(self, plan: PlanDocument) -> None:
        self.alone = set(plan.namespaces.values()) if len(plan.namespaces) == 1 else set()

    def __call__(self, each: Named) -> str:
        path = f"{each.namespace}/{each.name}" if each.namespace and each.namespace not in self.alone else each.name
        kind, _, group = each.type.partition(".")
        return f"{kind if is_built_in(group) else each.type} {path}"

    def needs(self, needs: Sequence[Need]) -> dict[str, list[str]]:
        """Return each needed object with the fields that need it, without `spec.template.spec.`."""
        found: dict[str, list[str]] = {}
        for need in needs:
            if need.because.startswith(COPY):
                continue
            found.setdefault(self(need), []).append(need.because.replace("spec.template.spec.", "", 1))
        return found


def _wrapped(text: str, indent: str) -> Iterable[str]:
    return textwrap.wrap(
        one_line(text),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "    ",
        break_on_hyphens=False,
        replace_whitespace=False,
        drop_whitespace=True,
    )
