'''What a plug-in adds about a product: the interface of the entry point group `kubeferry.rules`, version 1.

A plug-in is an installed Python package with an entry point in that group, which names a `Plugin` object:

    [project.entry-points."kubeferry.rules"]
    shop-operator = "shop_rules:RULES"

Its module shop_rules.py, complete:

```python
from kubeferry.tasks.core.plugins.interface import Need, Pause, Plugin
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.graph.priorities import Priority
from kubeferry.tasks.core.kube.readiness.verdict import ready, status_of, waiting

SHOP = ("shop.example.com", "Shop")
TILL = ("shop.example.com", "Till")


def needs(obj):
    """Yield the price list that the label of a Shop names."""
    name = obj["metadata"].get("labels", {}).get("shop.example.com/prices")
    if obj["kind"] == "Shop" and name:
        yield Need(Ref("", "ConfigMap", obj["metadata"]["namespace"], name), "metadata.labels")


def open_for_business(obj, now, context):
    """Wait for a Shop that is not open."""
    return ready("sells") if status_of(obj).get("open") else waiting("is not open yet")


def leave_out(obj):
    """Return why an object is not restored, or None."""
    return "sales of the source cluster" if obj["kind"] == "Receipt" else None


RULES = Plugin(
    name="shop-operator",
    interface=1,
    rebuilt={TILL: frozenset({SHOP})},
    pause={SHOP: Pause({"spec": {"paused": True}})},
    dynamic_fields={SHOP: (("spec", "sessionKey"), ("metadata", "annotations", "shop.example.com/seen"))},
    phases={SHOP: Priority.WORKLOAD},
    readiness={SHOP: open_for_business},
    needs=needs,
    leave_out=leave_out,
)
```

Its functions are pure: no I/O, no clock, and their arguments are not modified. In a table, the kind `*` means every
kind of the group without a row of its own. Version 1 may get more fields with defaults; existing fields keep their
meaning, or the version changes. A plug-in of another version is refused by name (ports/local/plugins.py).
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
"""(group, kind); the core group is "", and `*` means any kind of a group."""


@dataclass(frozen=True, slots=True)
class Need:
    """An object that another one needs, besides those that its fields name (needs/references/find.py finds these)."""

    target: Ref
    path: str
    """The field that says so, as shown to users."""
    first: bool = False
    """Whether the target must be created before the object, even if the object owns it."""


@dataclass(frozen=True, slots=True)
class Pause:
    """How reconciliation of an object is paused while the object and its dependents are restored.

    `patch` is a merge patch (RFC 7386) that is applied to the object before it is created. At the end of the restore
    its changes are reverted, in order of `turn`; an object that was paused in the backup stays paused.
    """

    patch: Mapping[str, Any]
    turn: int = 0


def _no_needs(_obj: Object) -> Iterable[Need]:
    return ()


def _nothing_excluded(_obj: Object) -> str | None:
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Plugin:
    """What one plug-in provides."""

    name: str
    """The name of its entry point; errors and plans show it."""
    interface: int
    """The version of this interface that it implements: 1."""
    rebuilt: Mapping[Kind, frozenset[Kind]] = field(default_factory=dict)
    """Kind → the kinds of controller owners that re-create it (`--owned rebuild` leaves it to them)."""
    keep: frozenset[Kind] = frozenset()
    """Kinds that are restored even if a controller would re-create them, whatever other tables say."""
    pause: Mapping[Kind, Pause] = field(default_factory=dict)
    """Kind → how it is paused during a restore."""
    dynamic_fields: Mapping[Kind, tuple[Path, ...]] = field(default_factory=dict)
    """Kind → paths to remove, which its controller generated: keys, and `jsondoc.edit.EACH` for list items."""
    phases: Mapping[Kind, Priority] = field(default_factory=dict)
    """Kind → its restore priority, where no edge decides."""
    readiness: Mapping[Kind, Rule] = field(default_factory=dict)
    """Kind → its readiness rule: (object, now, context) → `ready`, `waiting` or `failed` of readiness/verdict.py."""
    status: frozenset[Kind] = frozenset()
    """Kinds whose status is restored, since their controller keeps state in it that it cannot find out again."""
    needs: Callable[[Object], Iterable[Need]] = _no_needs
    """Object → what it needs besides what its fields name; called for every object of a backup."""
    leave_out: Callable[[Object], str | None] = _nothing_excluded
    """Object → why it is not restored, else None; called for every object of a backup."""
