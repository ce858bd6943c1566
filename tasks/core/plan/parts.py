"""The parts of a plan, from the steps that found them: the input of all code that shows a plan.

Plain values without contents of objects: code that needs a body gets a function that reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubeferry.tasks.core.graph.priorities import priority_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kubeferry.tasks.core.formats.links import Owner
    from kubeferry.tasks.core.formats.losses import Loss
    from kubeferry.tasks.core.formats.records import LeftOut, Problem, Rewrite
    from kubeferry.tasks.core.graph.closure import Missing
    from kubeferry.tasks.core.graph.order import Edge, Order
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.lookup.bindings import Binding, Kind
    from kubeferry.tasks.core.lookup.substitute import Absent


@dataclass(frozen=True, slots=True)
class Part:
    """One object of a plan, under its target identity."""

    ref: Ref
    source: Ref
    api_version: str
    why: str
    """Why it is restored."""
    owners: tuple[Owner, ...] = ()
    unowned: tuple[str, ...] = ()
    """Owners in the source that it cannot have on any cluster, each with the reason."""
    not_ready: str = ""
    """Why it was not ready when it was backed up; a restore does not wait for it."""
    bindings: tuple[Binding, ...] = ()
    """Fields whose value comes from the live target, by a chain of look-ups."""
    late: tuple[Binding, ...] = ()
    """Those of them whose value is known only after the object is created."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A whole plan."""

    backup: str
    store: str
    namespaces: Mapping[str, str]
    """Old name to new name."""
    items: Mapping[Ref, Part]
    first: Sequence[Ref]
    """Namespaces, by name."""
    definitions: Sequence[Ref]
    """CRDs, by name."""
    order: Order
    left_out: Sequence[LeftOut] = ()
    rewrites: Sequence[Rewrite] = ()
    wants: Mapping[Ref, frozenset[Ref]] = field(default_factory=dict)
    """Cluster-scoped objects that are referred to and not restored, each with the objects that refer to it."""
    kinds: Mapping[tuple[str, str], Ref] = field(default_factory=dict)
    """(group, kind) → the CRD among `definitions` that defines it."""
    absent: Mapping[Kind, Absent] = field(default_factory=dict)
    """What to do with a field if the target has no value for it, by class; the default is FAIL."""
    instead: Mapping[Edge, str] = field(default_factory=dict)
    """What is done instead of waiting, for each broken edge."""
    impossible: Sequence[str] = ()
    """What cannot be restored, one line each."""
    selection: str = ""
    """The selection from the backup, in one line; "" for all of it."""
    missing: Sequence[Missing] = ()
    """Objects that are needed but excluded by the options."""
    warnings: Sequence[Problem] = ()
    """Terms of the selection that match nothing."""
    problems: Sequence[Problem] = ()
    """What is not done as objects ask for it."""
    grants: Sequence[Problem] = ()
    """What is given to others, or left out of that."""
    losses: Sequence[Loss] = ()
    """What will not be as it was."""


def level_phases(order: Order) -> list[str]:
    """Return the name of each level's priority: that of its objects, or of the latest object that one of them needs."""
    phases: dict[Ref, int] = {}
    for level in order.levels:
        for ref in level:
            needed = (phases.get(edge.target, 0) for edge in order.needs.get(ref, ()))
            phases[ref] = max([int(priority_of(ref)), *needed])
    named = {int(phase): phase.name.lower() for phase in type(priority_of(order.levels[0][0]))} if order.levels else {}
    return [named[phases[level[0]]] for level in order.levels]
