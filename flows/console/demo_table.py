"""Print the demo's findings: every workload's readiness, and every difference with its explanation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubeferry.flows.console.output import line, table
from kubeferry.flows.console.results import document as result_document
from kubeferry.tasks.core.compare.restored import WHOLE, Finding, Group, grouped
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.graph.priorities import Priority, priority_of
from kubeferry.tasks.core.kube.objects import Ref, controller_of
from kubeferry.tasks.core.kube.readiness.evaluate import verdict
from kubeferry.tasks.ports.local import clock

if TYPE_CHECKING:
    from kubeferry.deployments.sample.live import Live
    from kubeferry.flows.demo import Copy, Demonstration

RED, GREEN = "bold red", "bold green"


@dataclass(frozen=True)
class State:
    """The state of one workload in one namespace."""

    state: str
    """ready, waiting, failed, missing, or `left out` if the backup or the restore excluded it."""
    why: str

    @property
    def good(self) -> bool:
        """Return whether this is the expected state."""
        return self.state in ("ready", "left out")


def ok(shown: Demonstration) -> bool:
    """Return whether all runs completed, all workloads are ready and all differences are explained."""
    phases = {shown.saved.phase, *(copy.restored.phase for copy in shown.copies)}
    return phases == {Phase.COMPLETED} and not (_unexplained(shown) or _not_ready(shown))


def document(shown: Demonstration) -> dict[str, Any]:
    """Return what the tables show, and the three results, as JSON's types."""
    names = places(shown)
    return {
        "ok": ok(shown),
        "namespaces": names,
        "backup": result_document(shown.saved),
        "restores": [result_document(copy.restored) for copy in shown.copies],
        "workloads": [
            {
                "workload": f"{kind} {name}",
                "namespaces": {
                    place: {"state": state.state, "why": state.why} for place, state in zip(names, states, strict=True)
                },
            }
            for (kind, name), states in workloads(shown).items()
        ],
        "differences": [
            {"field": each.field, "why": each.why, "kinds": list(each.kinds)}
            | {"counts": dict(zip(names[1:], each.counts, strict=True))}
            for each in _groups(shown)
        ],
        "unexplained": [
            {"namespace": place, "object": str(each.ref), "field": each.field, "values": each.text}
            for place, each in _unexplained(shown)
        ],
    }


def tables(shown: Demonstration, ui: str) -> None:
    """Print both tables, problems in red, and what to do next."""
    names = places(shown)
    table(
        ["WORKLOAD", *(name.replace("/", "/\n") for name in names)],
        [
            [f"{kind} {name}", *(f"{each.state}: {each.why}" for each in states)]
            for (kind, name), states in workloads(shown).items()
        ],
        title="Every workload",
    )
    table(
        ["KIND", "FIELD", "WHY IT DIFFERS", "TIMES"],
        [
            [_kinds(each), each.field, each.why, " + ".join(map(str, each.counts))]
            for each in _groups(shown)
            if each.why
        ],
        title=f"Every difference from {names[0]}, in {' + '.join(names[1:])}",
    )
    for place, each in _unexplained(shown):
        line(f"not explained: {place}: {each.ref}: {each.text}", RED)
    for place, name, state in _not_ready(shown):
        line(f"not ready: {place}: {name}: {state.state}, {state.why}", RED)
    _last(shown, ui)


def places(shown: Demonstration) -> list[str]:
    """Return the names of the three namespaces, the original first."""
    return [f"{live.cluster}/{live.namespace}" for live in _lives(shown)]


def workloads(shown: Demonstration) -> dict[tuple[str, str], list[State]]:
    """Return the state of each workload, by kind and name, in the three namespaces."""
    known = sorted({(ref.kind, ref.name) for live in _lives(shown) for ref in _workloads(live)})
    return {
        each: [_state(shown.original, None, each), *(_state(c.live, c, each) for c in shown.copies)] for each in known
    }


def _lives(shown: Demonstration) -> list[Live]:
    return [shown.original, *(copy.live for copy in shown.copies)]


def _workloads(live: Live) -> dict[Ref, Any]:
    """Return the workloads without a controller; what a controller creates is judged with its controller."""
    return {
        ref: obj
        for ref, obj in live.objects.items()
        if priority_of(ref) == Priority.WORKLOAD and ref.kind != "ControllerRevision" and controller_of(obj) is None
    }


def _state(live: Live, copy: Copy | None, workload: tuple[str, str]) -> State:
    found = [obj for ref, obj in _workloads(live).items() if (ref.kind, ref.name) == workload]
    if found:
        judged = verdict(found[0], clock.now(), live.context)
        return State(judged.state, judged.why)
    reasons = [each.why for each in (copy.findings if copy else []) if _is_lost(each, workload)]
    return State("left out", reasons[0]) if reasons and reasons[0] else State("missing", "it is not there")


def _is_lost(each: Finding, workload: tuple[str, str]) -> bool:
    return each.field == WHOLE and (each.ref.kind, each.ref.name) == workload


def _groups(shown: Demonstration) -> list[Group]:
    return grouped(copy.findings for copy in shown.copies)


def _kinds(group: Group) -> str:
    """Return the kind without its group, or how many kinds there are: a terminal has no room for more."""
    return group.kinds[0].partition(".")[0] if len(group.kinds) == 1 else f"{len(group.kinds)} kinds"


def _unexplained(shown: Demonstration) -> list[tuple[str, Finding]]:
    return [
        (place, each)
        for place, copy in zip(places(shown)[1:], shown.copies, strict=True)
        for each in copy.findings
        if each.why is None
    ]


def _not_ready(shown: Demonstration) -> list[tuple[str, str, State]]:
    return [
        (place, f"{kind} {name}", state)
        for (kind, name), states in workloads(shown).items()
        for place, state in zip(places(shown), states, strict=True)
        if not state.good
    ]


def _last(shown: Demonstration, ui: str) -> None:
    objects, changes = len(shown.original.objects), sum(len(copy.findings) for copy in shown.copies)
    if ok(shown):
        line(
            f"\n{places(shown)[0]} was backed up ({shown.saved.objects} objects) and restored twice: every workload is"
            f" ready and all {changes} differences are explained.",
            GREEN,
        )
    else:
        line(f"\nThe demo failed: {objects} objects, {changes} differences; see the red lines above.", RED)
    line(f"Next: see the three runs at {ui}")
    line('      eval "$(kubeferry sandbox env)", then kubeferry list, or kubectl get all -n shop-copy')
    line("      kubeferry sandbox down stops all of it")
