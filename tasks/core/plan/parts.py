"""What a plan is made of, as the steps found it: the input of everything that shows a plan or turns it into a script.

Plain values without contents of objects: who needs a body is given a function that reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubeferry.tasks.core.graph.priorities import priority_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kubeferry.tasks.core.formats.links import Owner
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
    """Owners of the source that it cannot have anywhere, each with the reason."""
    not_ready: str = ""
    """Why it was not ready when it was backed up; such an object is not waited for."""
    bindings: tuple[Binding, ...] = ()
    """Fields that take their value from the live target, by a chain of look-ups."""
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
    """Cluster-scoped objects that are named and not restored, each with who names them."""
    kinds: Mapping[tuple[str, str], Ref] = field(default_factory=dict)
    """(group, kind) → the CRD among `definitions` that defines it."""
    absent: Mapping[Kind, Absent] = field(default_factory=dict)
    """What becomes of a field when the target has no value for it, by class; FAIL where it says nothing."""
    instead: Mapping[Edge, str] = field(default_factory=dict)
    """What is done instead of waiting, for each broken edge."""
    impossible: Sequence[str] = ()
    """What cannot be carried out, one line each."""
    selection: str = ""
    """What is asked for of the backup, in one line; "" for all of it."""
    missing: Sequence[Missing] = ()
    """What objects need and what stays out because it was asked so."""
    warnings: Sequence[Problem] = ()
    """What was asked for and matches nothing."""


def level_phases(order: Order) -> list[str]:
    """Return the name of each level's phase: that of its objects, or of the latest thing that one of them needs."""
    phases: dict[Ref, int] = {}
    for level in order.levels:
        for ref in level:
            needed = (phases.get(edge.target, 0) for edge in order.needs.get(ref, ()))
            phases[ref] = max([int(priority_of(ref)), *needed])
    named = {int(phase): phase.name.lower() for phase in type(priority_of(order.levels[0][0]))} if order.levels else {}
    return [named[phases[level[0]]] for level in order.levels]
