'''What a plug-in tells Kubeferry about a product: the interface of the entry point group `kubeferry.rules`, version 1.

A plug-in is an installed Python package with an entry point in that group, which names a `Rules` object:

    [project.entry-points."kubeferry.rules"]
    shop-operator = "shop_rules:RULES"

and, as the whole of its module shop_rules.py:

```python
from kubeferry.tasks.core.plugins.interface import Need, Pause, Rules
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.graph.priorities import Phase
from kubeferry.tasks.core.kube.readiness.verdict import ready, status_of, waiting

SHOP = ("shop.example.com", "Shop")
TILL = ("shop.example.com", "Till")


def needs(obj):
    """A Shop reads the price list that its label names."""
    name = obj["metadata"].get("labels", {}).get("shop.example.com/prices")
    if obj["kind"] == "Shop" and name:
        yield Need(Ref("", "ConfigMap", obj["metadata"]["namespace"], name), "metadata.labels")


def open_for_business(obj, now, context):
    """A Shop that does not sell yet is waited for."""
    return ready("sells") if status_of(obj).get("open") else waiting("is not open yet")


def leave_out(obj):
    """Return why an object is not restored, or None."""
    return "sales of the old cluster" if obj["kind"] == "Receipt" else None


RULES = Rules(
    name="shop-operator",
    interface=1,
    rebuilt={TILL: frozenset({SHOP})},
    pause={SHOP: Pause({"spec": {"paused": True}})},
    dynamic_fields={SHOP: (("spec", "sessionKey"), ("metadata", "annotations", "shop.example.com/seen"))},
    phases={SHOP: Phase.WORKLOAD},
    readiness={SHOP: open_for_business},
    needs=needs,
    leave_out=leave_out,
)
```

All of it is pure: no I/O, no clock, the objects it is given are not changed. `*` as the kind of a table's key stands
for every kind of the group that has no row of its own. Fields may be added with defaults in version 1; what is there
keeps its meaning, or the version changes, and a plug-in of another version is refused by name (ports/local/plugins.py).
'''

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kubeferry.tasks.core.graph.priorities import Priority
    from kubeferry.tasks.core.jsondoc.edit import Object, Path
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.kube.readiness.verdict import Rule

INTERFACE = 1
"""The version of this interface."""

GROUP = "kubeferry.rules"
"""The entry point group."""

Kind = tuple[str, str]
"""(group, kind); the core group is "", and `*` any kind of a group."""


@dataclass(frozen=True, slots=True)
class Need:
    """Something that an object needs besides what its fields name (references.py finds that)."""

    target: Ref
    path: str
    """The field that says so, for people."""
    first: bool = False
    """Whether the target must be there before the object, even where it is owned by it."""


@dataclass(frozen=True, slots=True)
class Pause:
    """How a reconciler is told to leave an object alone while it and what belongs to it come back.

    `patch` is a merge patch (RFC 7386) that is applied to the object before it is created. What it changed is put back
    when everything of the restore is there, in order of `turn`; an object that was paused in the backup stays so.
    """

    patch: Mapping[str, Any]
    turn: int = 0


def _no_needs(_obj: Object) -> Iterable[Need]:
    return ()


def _nothing_left_out(_obj: Object) -> str | None:
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Plugin:
    """What one plug-in knows."""

    name: str
    """As its entry point is called; it stands in errors and plans."""
    interface: int
    """The version of this interface that it was written for: 1."""
    rebuilt: Mapping[Kind, frozenset[Kind]] = field(default_factory=dict)
    """Kind → the kinds of controller owners that make it anew by themselves: it is left to them (`--owned rebuild`)."""
    keep: frozenset[Kind] = frozenset()
    """Kinds that are restored although a controller of theirs is too, whatever else says that it would remake them."""
    pause: Mapping[Kind, Pause] = field(default_factory=dict)
    """Kind → how it is paused during the restore."""
    dynamic_fields: Mapping[Kind, tuple[Path, ...]] = field(default_factory=dict)
    """Kind → what its controller generated for the old cluster: dropped. Paths are keys, and `edit.EACH` for items."""
    phases: Mapping[Kind, Priority] = field(default_factory=dict)
    """Kind → when it comes if nothing else decides."""
    readiness: Mapping[Kind, Rule] = field(default_factory=dict)
    """Kind → its verdict: (object, now, context) → `verdicts.ready`, `waiting` or `failed` with the reason."""
    needs: Callable[[Object], Iterable[Need]] = _no_needs
    """Object → what it needs besides what its fields name; asked about every object of a backup."""
    leave_out: Callable[[Object], str | None] = _nothing_left_out
    """Object → why it is not restored, else None; asked about every object of a backup."""
