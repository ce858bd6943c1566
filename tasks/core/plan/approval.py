"""What a user sees before they approve a restore: a Markdown page and a table of objects, made from its plan.

They hold names, fields and reasons, and no content of any Secret, which the plan's document hides. Names and values
come from an untrusted archive: they are shown as code, on one line, never as Markdown. The page includes the command
that shows the whole plan.
"""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.formats.loss_sections import sections
from kubeferry.tasks.core.formats.records import Action
from kubeferry.tasks.core.jsondoc.printable import code, one_line
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import OnFailure
from kubeferry.tasks.core.plan.forecast import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from kubeferry.tasks.core.models.options import RestoreOptions
    from kubeferry.tasks.core.plan.document import Level, Named, PlanDocument, PlannedObject
    from kubeferry.tasks.core.plan.forecast import Forecast


MOST = 50
"""Most lines of a section of the page; the command on the page shows all of them."""

ROWS = 2000
"""Most objects in the table: Prefect's UI draws all rows at once."""


@dataclass(frozen=True, slots=True)
class Asking:
    """One restore that waits for approval."""

    name: str
    options: RestoreOptions
    cluster: str
    """Context and address of the target."""
    until: datetime
    command: str
    """The command that shows the whole plan."""


_ON_FAILURE = {
    OnFailure.ROLLBACK: "if it fails, it is rolled back",
    OnFailure.CONTINUE: "what the target refuses is left out with what needs it, and the rest is restored",
    OnFailure.STOP: "if it fails, its changes stay",
}


def page(asking: Asking, plan: PlanDocument, forecast: Forecast) -> str:
    """Return the page: what is restored to where, level by level, and every object that is not created unchanged."""
    lines = [f"# Restore {asking.name} waits for approval", "", *_head(asking, plan, forecast), ""]
    lines += [*_levels(plan.levels), ""]
    lines += _section("Already on the target", _met(forecast))
    lines += _section("Rewritten", _rewritten(plan))
    lines += _section("Cycles, and where they are broken", _broken(plan))
    lines += _section("Needed, but excluded by your options", _missing(plan))
    lines += _section("Matches nothing", (f"{code(each.what)}: {code(each.why)}" for each in plan.warnings))
    for title, found in sections(plan.losses):
        lines += _section(title, (f"{code(each.place)}: {code(each.why)}" for each in found))
    lines += _section("Rights of others", (f"{code(each.what)}: {code(each.why)}" for each in plan.grants))
    lines += _section("Not done as asked", (f"{code(each.what)}: {code(each.why)}" for each in plan.problems))
    lines += _section("Excluded", _left_out(plan))
    return "\n".join(lines)


def rows(plan: PlanDocument, forecast: Forecast) -> list[dict[str, str | int]]:
    """Return a row for each object, in the order in which they are created; level 0 comes before all others."""
    met = {each.ref: each for each in forecast.met}
    found: list[dict[str, str | int]] = []
    for level, each in _objects(plan):
        if len(found) == ROWS:
            break
        there = met.get(_ref(each))
        found.append(
            {
                "level": level,
                "object": one_line(str(_ref(each))),
                "will be": there.action if there else ABSENT,
                "why": one_line((there.why if there else "") or each.why),
                "looked up": len(each.bindings),
                "rewritten": len(each.rewrites),
            }
        )
    return found


def _head(asking: Asking, plan: PlanDocument, forecast: Forecast) -> Iterator[str]:
    total, options = plan.summary, asking.options
    moved = ", ".join(code(old) if old == new else f"{code(old)} → {code(new)}" for old, new in plan.namespaces.items())
    there = Counter(each.action for each in forecast.met)
    there[ABSENT] += total.objects - len(forecast.met)
    yield f"- from backup {code(plan.backup)} in {code(plan.store)}"
    yield f"- to cluster {code(asking.cluster)}"
    yield f"- namespaces: {moved}"
    yield f"- selected: {code(plan.selection)}" if plan.selection else "- everything in the backup"
    yield f"- {total.objects} objects in {total.levels} levels: " + ", ".join(
        f"{count} {action}" for action, count in sorted(there.items()) if count
    )
    yield f"- values looked up on the target: {total.bindings}; rewritten: {sum(total.rewrites.values())}"
    yield f"- objects excluded: {total.left_out}"
    yield f"- {_ON_FAILURE[options.on_failure]}"
    yield f"- approve it until {asking.until:%Y-%m-%d %H:%M:%S} UTC: {_answer(asking.name)}"
    yield f"- to see the whole plan: {code(asking.command, len(asking.command))}"


def _answer(name: str) -> str:
    approve = f"kubeferry approve {name}"
    return f"**Resume** on the page of its flow run, or {code(approve)}; to refuse, {code(f'{approve} --refuse WHY')}"


def _levels(levels: Sequence[Level]) -> Iterator[str]:
    yield "| level | phase | objects | of types |"
    yield "| ---: | --- | ---: | --- |"
    for level in levels[:MOST]:
        types = Counter(each.type for each in level.objects)
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(types.items()))
        yield f"| {level.number} | {level.phase} | {len(level.objects)} | {code(kinds.replace('|', ' '))} |"
    if len(levels) > MOST:
        yield f"| … | and {len(levels) - MOST} more | | |"


def _met(forecast: Forecast) -> Iterator[str]:
    """Yield the existing objects, first those that would change; identical ones are only counted."""
    others = [each for each in forecast.met if each.action != Action.UNCHANGED]
    for each in sorted(others, key=lambda each: (not each.uid, each.ref)):
        yield f"{code(str(each.ref))}: {each.action} ({code(each.why)})"
    same = len(forecast.met) - len(others)
    if same:
        yield f"{same} {'more, ' if others else ''}the same as in the backup: unchanged"


def _rewritten(plan: PlanDocument) -> Iterator[str]:
    for _, each in _objects(plan):
        for one in each.rewrites:
            where = f"{code(str(_ref(each)))} {code(one.path)}"
            yield f"{where}: {code(one.old)} → {code(one.new)} ({code(one.why)})"


def _broken(plan: PlanDocument) -> Iterator[str]:
    for each in plan.broken:
        source, target = (code(str(_ref(one))) for one in (each.source, each.target))
        yield f"{source} does not wait for {target} ({code(each.because)}): {each.instead}"


def _missing(plan: PlanDocument) -> Iterator[str]:
    for each in plan.missing:
        yield f"{code(str(_ref(each)))}: {each.why}; needed by {code(each.because)}"


def _left_out(plan: PlanDocument) -> Iterator[str]:
    groups = Counter((each.type, each.why) for each in plan.left_out)
    for (kind, why), count in sorted(groups.items()):
        yield f"{count} {code(kind)}: {code(why)}"


def _section(title: str, lines: Iterable[str]) -> list[str]:
    listed = list(lines)
    if not listed:
        return []
    more = [f"- … and {len(listed) - MOST} more"] if len(listed) > MOST else []
    return [f"## {title}", "", *(f"- {line}" for line in listed[:MOST]), *more, ""]


def _objects(plan: PlanDocument) -> Iterator[tuple[int, PlannedObject]]:
    for each in (*plan.first.namespaces, *plan.first.definitions):
        yield 0, each
    for level in plan.levels:
        for each in level.objects:
            yield level.number, each


def _ref(each: Named) -> Ref:
    kind, _, group = each.type.partition(".")
    return Ref(group, kind, each.namespace, each.name)


FLAGS = {
    "map": "--map",
    "owned": "--owned",
    "modify": "--modify",
    "no_rewrite": "--no-rewrite",
    "rewrite_also": "--rewrite-also",
    "rewrite_rules": "--rewrite-rules",
    "absent": "--absent",
    "allow_plain": "--allow-plain",
    "allow_sources": "--allow-source",
    "subjects": "--subjects",
    "status": "--status",
    "finalizers": "--finalizers",
    "at_rest": "--at-rest",
    "namespaces": "--namespace",
    "namespace_selector": "--namespace-selector",
    "exclude_namespace": "--exclude-namespace",
    "selector": "--selector",
    "annotation_selector": "--annotation-selector",
    "include": "--include",
    "exclude": "--exclude",
    "include_name": "--include-name",
    "exclude_name": "--exclude-name",
    "only": "--only",
    "cluster_wide": "--cluster-wide",
    "identities": "--identity",
}
"""Options of a restore that change its plan, by field → option of `kubeferry plan`; a test keeps them consistent."""


def plan_command(options: RestoreOptions, store: str) -> str:
    """Return `kubeferry plan …` for a shell; `store` is the URL of the backup's store."""
    given: dict[str, Any] = options.model_dump(mode="json", exclude_defaults=True)
    words = [word for field, flag in FLAGS.items() if field in given for word in _words(flag, given[field])]
    return shlex.join(["kubeferry", "plan", options.backup, *words, "--store", store])


def _words(flag: str, value: Any) -> Iterator[str]:
    if value is True:
        yield flag
    elif flag in (FLAGS["modify"], FLAGS["rewrite_rules"]):
        yield from (flag, "FILE")  # the user has it in a file
    elif isinstance(value, dict):
        yield from (word for old, new in value.items() for word in (flag, f"{old}={new}"))
    elif isinstance(value, list):
        yield from (word for each in value for word in (flag, each))
    else:
        yield from (flag, str(value))
